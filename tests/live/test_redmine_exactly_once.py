"""Shows on a real Redmine under attack: nothing twice, nothing missing, every fact read back there.

A service request of eight protocols and six modules with its hours, non-conformances and a CAPA. Processes are killed
with SIGKILL, answers are lost after the commit. What holds in the end is asked of Redmine by its own API, not of this
project.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pv_testing.ledger import Ledger
from sandbox.proxy import Proxy, serve_proxy
from tests import yaml_text
from tests.chaos.siege import Siege
from tests.forks import PROJECT
from tests.live.redmine import plan, work
from tests.live.redmine.server import Server
from tests.live.test_redmine_facts import Laboratory
from tests.live.whole_way import LIMITS

pytestmark = pytest.mark.live

DEADLINE = 1500.0
WRITES = frozenset({"POST", "PUT"})


class Attack(Siege):
    """Carries the service request through a proxy, a phase at a time, and kills it on the way."""

    def __init__(self, proxy: Proxy, lab: Laboratory, directory: Path) -> None:
        super().__init__(directory, DEADLINE)
        self.proxy = proxy
        self.phase = ""
        self.lost = 0
        self.ledger = f"sqlite:///{directory / 'ledger.sqlite'}"
        self._seen = 0
        self._writes = 0
        self._config = directory / "integrations.yaml"
        self._config.write_text(yaml_text.dump(configuration(proxy.url, lab, directory)), encoding="utf-8")

    def run(self, phase: str, kills: list[int]) -> None:
        """Run a phase to its end; each number kills an attempt when so many more writes have come."""
        self.phase = phase
        begin = self.arrived()
        already = self.killed
        for number, moment in enumerate(kills, start=already + 1):
            while self.killed < number and self.attempt(begin + moment):
                pass
        self.leave_in_peace()

    def command(self) -> list[str]:
        """Return the worker of this phase."""
        known = ["--config", str(self._config), "--ledger", self.ledger, "--owner", f"try {self.attempts}"]
        return ["tests.live.redmine.worker", self.phase, *known]

    def arrived(self) -> int:
        """Return how many writes have reached the proxy."""
        new = self.proxy.requests(self._seen)
        self._writes += sum(1 for request in new if request["method"] in WRITES)
        self._seen = max((request["number"] for request in new), default=self._seen)
        return self._writes

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return what the ledger has; its audit chain verifies."""
        with Ledger(self.ledger) as ledger:
            ledger.verify()
            return ledger.counts()


def configuration(url: str, lab: Laboratory, directory: Path) -> dict[str, Any]:
    """Return a configuration whose deadlines are as short as a busy machine allows, so that leases end soon."""
    systems = {}
    for system, project in (("pm", plan.PROJECT), ("qms", plan.QUALITY)):
        contract = yaml_text.read(PROJECT / f"include/mappings/{system}_redmine.yaml")
        contract["limits"].update(**LIMITS)
        file = directory / f"{system}_live.yaml"
        file.write_text(yaml_text.dump(contract, sort_keys=False), encoding="utf-8")
        fields = {"issue_key_field": lab.fields["issue"], "time_entry_key_field": lab.fields["time_entry"]}
        systems[system] = {
            "provider": "Redmine",
            "contract": str(file),
            "base_url": url,
            "auth_type": "api_key",
            "api_key": plan.INTEGRATION_KEY,
            "options": {"project": project, **fields},
        }
    return systems


def storm(rate: float) -> list[dict[str, Any]]:
    """Return the faults that hit writes: lost answers, lost requests, errors before and after a commit."""
    kinds: list[tuple[str, float, dict[str, Any]]] = [
        ("drop_after", rate, {}),
        ("drop_before", rate / 4, {}),
        ("error", rate / 4, {"status": 500}),
        ("html", rate / 4, {}),
        ("truncate", rate / 4, {}),
        ("rate_limit", rate / 4, {"retry_after": 0.5}),
    ]
    return [
        {"route": f"{method} /*", "kind": kind, "rate": share, "seed": seed, **more}
        for method in sorted(WRITES)
        for seed, (kind, share, more) in enumerate(kinds, start=1)
    ]


@pytest.fixture(scope="module")
def lab(redmine: Server) -> Iterator[Laboratory]:
    """Redmine's own view, past the proxy."""
    with Laboratory(redmine) as caller:
        yield caller


@pytest.fixture(scope="module")
def attack(redmine: Server, lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    with serve_proxy(redmine.url) as proxy:
        attack = Attack(proxy, lab, tmp_path_factory.mktemp("attack"))
        proxy.faults(*storm(0.2))
        attack.run("begin", [2, 7, 14])
        proxy.faults(*storm(0.1))
        attack.run("finish", [10, 40, 90, 125])
        attack.lost = sum(rule["hits"] for rule in proxy.read_faults("proxy") if rule["kind"] == "drop_after")
        proxy.faults()
        yield attack


def every_issue(lab: Laboratory, project: str) -> dict[str, list[dict[str, Any]]]:
    """Return the issues of the service request by their keys, read one by one with everything that belongs to them."""
    wanted = {work.SR, work.CAPA, *(f"{work.SR}/{protocol}" for protocol in work.PROTOCOLS)}
    wanted |= {work.execution(*failed) for failed in work.FAILED}
    found: dict[str, list[dict[str, Any]]] = {}
    for issue in lab.listed("/issues.json", "issues", status_id="*", project_id=project):
        key = next((field["value"] for field in issue["custom_fields"] if field["id"] == lab.fields["issue"]), "")
        if key in wanted:
            found.setdefault(key, []).append(lab.issue(issue["id"], include="journals,attachments"))
    return found


def every_entry(lab: Laboratory, activity: str) -> list[dict[str, Any]]:
    listed = lab.listed("/time_entries.json", "time_entries")
    keys = {work.execution(*each) for each in work.executions()}
    entries = [(entry["custom_fields"][0]["value"], entry) for entry in listed if entry["activity"]["name"] == activity]
    return [{**entry, "key": key} for key, entry in entries if key and key.partition("/")[0] in keys]


def test_the_attack_was_one(attack):
    assert attack.killed == 7
    assert attack.lost >= 5


def test_every_task_is_there_once_and_complete(attack, lab):
    tasks = every_issue(lab, plan.PROJECT)
    assert Counter({key: len(issues) for key, issues in tasks.items()}) == Counter(
        [work.SR, *(f"{work.SR}/{protocol}" for protocol in work.PROTOCOLS)]
    )
    (main,) = tasks.pop(work.SR)
    assert (main["status"]["name"], main["done_ratio"]) == ("Closed", 100)
    for (subtask,) in tasks.values():
        assert (subtask["parent"]["id"], subtask["status"]["name"]) == (main["id"], "Closed")
        assert (subtask["estimated_hours"], subtask["done_ratio"]) == (840, 100)


def test_every_note_is_written_once(attack, lab):
    for (issue,) in every_issue(lab, plan.PROJECT).values():
        notes = Counter(entry["notes"] for entry in issue["journals"] if entry["notes"])
        assert notes == Counter(["begun", "all modules tested"])


def test_every_hour_is_entered_once(attack, lab):
    worked, used = every_entry(lab, "Testing"), every_entry(lab, "Equipment usage")
    keys = [work.execution(*each) for each in work.executions()]
    assert Counter(entry["key"] for entry in worked) == Counter(keys)
    assert Counter(entry["key"] for entry in used) == Counter(f"{key}/CH-01" for key in keys)
    assert sum(entry["hours"] for entry in worked) == len(keys) * work.OPERATOR_HOURS
    assert sum(entry["hours"] for entry in used) == len(keys) * work.EQUIPMENT_HOURS
    (main,) = every_issue(lab, plan.PROJECT)[work.SR]
    assert main["total_spent_hours"] == len(keys) * work.OPERATOR_HOURS


def test_every_failure_is_reported_once_and_the_capa_has_its_files(attack, lab):
    issues = every_issue(lab, plan.QUALITY)
    assert Counter({key: len(found) for key, found in issues.items()}) == Counter(
        [work.CAPA, *(work.execution(*failed) for failed in work.FAILED)]
    )
    (capa,) = issues.pop(work.CAPA)
    assert {issue["tracker"]["name"] for (issue,) in issues.values()} == {"Non-conformance"}
    contents = {each["filename"]: lab.get(each["content_url"], timeout=60).content for each in capa["attachments"]}
    assert (contents, len(capa["attachments"])) == (work.FILES, len(work.FILES))
    links = sorted(f"#{issue['id']}" for (issue,) in issues.values())
    assert f"* Related non-conformances: {'; '.join(links)}" in capa["description"].splitlines()


def test_the_ledger_says_the_same(attack):
    executions = len(work.executions())
    assert attack.counts() == {
        ("pm", "task", "confirmed"): 1,
        ("pm", "subtask", "confirmed"): len(work.PROTOCOLS),
        ("pm", "task_status", "confirmed"): len(work.PROTOCOLS) + 1,
        ("pm", "progress", "confirmed"): 1,
        ("pm", "time_entry", "confirmed"): executions,
        ("pm", "resource_usage", "confirmed"): executions,
        ("qms", "nc", "confirmed"): len(work.FAILED),
        ("qms", "capa", "confirmed"): 1,
        ("qms", "attachment", "confirmed"): len(work.FILES),
    }


def test_another_run_writes_nothing(attack):
    before = attack.arrived()
    assert attack.attempt() == 0
    assert attack.arrived() == before
