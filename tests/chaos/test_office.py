"""The same for what the office does: each report, task, hour, invoice and movement once, money to the cent."""

from __future__ import annotations

import sandbox
from tests.chaos.office import OfficeAttack


def test_each_record_of_the_office_arrives_exactly_once(tmp_path):
    plan = sandbox.SeedPlan(requests=2, modules=6, protocols=6, failures=0.1, weak="PVTP-018")
    with sandbox.serve(tmp_path / "lab", seed_plan=plan) as lab:
        verdict = OfficeAttack(lab, f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path, kills=5, deadline=300).run()
    assert verdict.holds, verdict.lines()
    assert verdict.kills == 5
    assert verdict.lost_answers > 0
