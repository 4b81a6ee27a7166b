"""Shows in small what `make chaos` shows in large: each record once, whatever is killed, lost or refused on the way."""

from __future__ import annotations

import pytest

import sandbox
from tests.chaos.storm import Storm, StormAttack


@pytest.mark.parametrize("bulk", [1, 20])
def test_each_sample_arrives_exactly_once_on_sqlite(bulk, tmp_path):
    storm = Storm(requests=3, modules=100, kills=4, bulk=bulk, deadline=300)
    verdict = _run(storm, f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    assert verdict.holds, verdict.lines()
    assert verdict.kills == 4
    assert verdict.lost_answers > 0


@pytest.mark.postgres
def test_each_sample_arrives_exactly_once_on_postgresql(tmp_path, schema):
    storm = Storm(requests=3, modules=100, kills=4, bulk=20, deadline=300)
    verdict = _run(storm, schema, tmp_path)
    assert verdict.holds, verdict.lines()


def _run(storm, ledger, directory):
    plan = sandbox.SeedPlan(requests=storm.requests, modules=storm.modules, protocols=1)
    like_options = sandbox.Credentials(framework_password="--begins as an option does", lims_api_key="-so-does-this")
    with sandbox.serve(directory / "lab", seed_plan=plan, credentials=like_options) as lab:
        return StormAttack(storm, lab, ledger, directory).run()
