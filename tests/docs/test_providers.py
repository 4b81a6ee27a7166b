"""The provider of docs/how-to/providers.md is found as the page says, and keeps the promise where answers get lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pv_testing.integrations import LIMSClient
from pv_testing.integrations.lims import sample_record
from pv_testing.ledger import Ledger
from pv_testing.providers.found import ENTRY_POINTS
from sandbox.proxy import serve_proxy
from tests.docs import sunlab
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "how-to" / "providers.md"
SAMPLE = {"external_id": "SN1", "project_id": "SR-1", "customer": "Helios"}
CLASS = "site_lab.sunlab:SunLabProvider"


class Sunlab8(sunlab.Sunlab):
    """SunLab 8, where a sample is released by a request of its own; it can refuse that."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False
        self.strangers = 0
        self.filters: list[str] = []

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        match method, path:
            case "PUT", ["sample", _, "release"] if self.strangers:
                self.strangers -= 1
                return 401, {"error": {"code": "WHO", "text": "who is it?"}}
            case "PUT", ["sample", number, "release"]:
                if self.refuses:
                    return 422, {"error": {"code": "NOT_YET", "text": "the sample is incomplete"}}
                self.samples[int(number)]["Released"] = True
                return 200, {"ok": True}
        return super().answer(method, path, query, body)

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Take one filter expression as well."""
        if "number" in query or "state" in query:
            return super().page(query)
        self.filters.append(query.get("$filter", ""))
        wanted = dict(re.findall(r"(\w+) eq '((?:[^']|'')*)'", self.filters[-1]))
        rows = [row for row in self.samples if all(row[f] == v.replace("''", "'") for f, v in wanted.items())]
        return {"rows": rows, "total": len(rows)}


@pytest.fixture
def server() -> Iterator[Sunlab8]:
    with sunlab.serve(Sunlab8) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder on the path with the page's module and its contract."""
    (release,) = (block for block in blocks(PAGE, "yaml") if "release_sample" in block)
    operations = [block.lstrip("\n") for block in blocks(PROJECT / "docs" / "reference" / "contracts.md", "yaml")]
    place = next(number for number, block in enumerate(operations) if block.startswith("operations:"))
    operations[place] += "\n" + release.lstrip("\n")
    (tmp_path / "lims_sunlab.yaml").write_text("\n".join(operations), encoding="utf-8")
    package = tmp_path / "site_lab"
    package.mkdir()
    module = blocks(PAGE, "python")[0]
    (package / "sunlab.py").write_text(module.lstrip("\n"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "site_lab.sunlab", raising=False)
    monkeypatch.delitem(sys.modules, "site_lab", raising=False)
    return tmp_path


def client(site: Path, url: str, ledger: Ledger, **settings: Any) -> LIMSClient:
    contract = str(site / "lims_sunlab.yaml")
    return LIMSClient(url, contract=contract, api_key=sunlab.KEY, ledger=ledger, provider_class=CLASS, **settings)


def test_it_is_about_sixty_lines() -> None:
    module = blocks(PAGE, "python")[0]
    assert len(module.strip().splitlines()) <= 65


def test_a_sample_is_created_and_released_once(site: Path, server: Sunlab8) -> None:
    with Ledger("sqlite://") as ledger, client(site, server.url, ledger) as lims:
        first, second = (lims.create_samples([SAMPLE]).counts() for _ in range(2))
    assert (first["created"], second["unchanged"]) == (1, 1)
    assert [sample["Released"] for sample in server.samples] == [True]


def test_an_option_of_the_page_leaves_samples_unreleased(site: Path, server: Sunlab8) -> None:
    with Ledger("sqlite://") as ledger, client(site, server.url, ledger, options={"release": False}) as lims:
        lims.create_samples([SAMPLE])
    assert ["Released" in sample for sample in server.samples] == [False]


@pytest.mark.parametrize("route", ["POST */sample", "PUT */release"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_lost_request_or_answer_of_either_step_leaves_one_released_sample(
    site: Path, server: Sunlab8, route: str, kind: str
) -> None:
    with serve_proxy(server.url.removesuffix("/rest")) as proxy, Ledger("sqlite://") as ledger:
        proxy.faults({"route": route, "kind": kind, "times": 1})
        with client(site, f"{proxy.url}/rest", ledger) as lims:
            for _ in range(3):
                report = lims.create_samples([SAMPLE])
                if not report.not_in_effect():
                    break
    assert report.not_in_effect() == []
    assert [sample["Released"] for sample in server.samples] == [True]


def test_a_refused_second_step_waits_for_a_person_and_makes_no_second_sample(site: Path, server: Sunlab8) -> None:
    server.refuses = True
    with Ledger("sqlite://") as ledger, client(site, server.url, ledger) as lims:
        (waiting,) = lims.create_samples([SAMPLE]).not_in_effect()
        assert "incomplete" in waiting.reason
        server.refuses = False
        report = lims.exchange("create_sample", [sample_record(SAMPLE)], replay=True)
    assert report.not_in_effect() == []
    assert [sample["Released"] for sample in server.samples] == [True]


def test_a_sample_that_took_two_attempts_is_created_and_a_changed_one_updated(site: Path, server: Sunlab8) -> None:
    server.strangers = 1
    with Ledger("sqlite://") as ledger, client(site, server.url, ledger) as lims:
        reports = [lims.create_samples([each]) for each in (SAMPLE, SAMPLE, {**SAMPLE, "customer": "Sol"})]
    assert [each.outcomes[0].result.value for each in reports] == ["deferred", "created", "updated"]
    assert [sample["Client"] for sample in server.samples] == ["Sol"]


def test_a_step_that_raises_as_the_page_says_is_refused(site: Path, server: Sunlab8) -> None:
    lines = [line for line in blocks(PAGE, "python")[1].splitlines() if line]
    module = site / "site_lab" / "sunlab.py"
    place = "        reply = await self.step(item)\n"
    answer = '        answer = {"text": "locked by ada"}\n'
    raising = "".join(f"        {line}\n" for line in lines)
    module.write_text(module.read_text().replace(place, place + answer + raising))
    with Ledger("sqlite://") as ledger, client(site, server.url, ledger) as lims:
        (waiting,) = lims.create_samples([SAMPLE]).not_in_effect()
    assert (waiting.result.value, waiting.code, waiting.external_id) == ("rejected", "LOCKED", "0")
    assert "the sample is locked" in waiting.reason


def test_a_filter_of_several_criteria_is_made_by_the_provider(site: Path, server: Sunlab8) -> None:
    contract = site / "lims_sunlab.yaml"
    original = "query: {status: state, external_id: number, deleted: {const: false}}"
    assert original in contract.read_text()
    (query,) = re.findall(r"`(query: \{filter: .*?\})`", text(PAGE))
    contract.write_text(contract.read_text().replace(original, query))
    module = site / "site_lab" / "sunlab.py"
    module.write_text(blocks(PAGE, "python")[2].lstrip("\n").replace("FilterProvider", "SunLabProvider"))
    for number in ("SN'1", "SN2"):
        server.create({"SampleNo": number, "Order": {"Number": "SR-1"}, "Client": "Helios"})
    with Ledger("sqlite://") as ledger, client(site, server.url, ledger, options={}) as lims:
        found = lims.find_sample("SN'1", "SR-1")
        listed = lims.get_samples_by_status("EXPECTED")
        everything = lims.list("get_samples")
    assert found is not None
    assert (found["SampleNo"], len(listed), len(everything)) == ("SN'1", 2, 2)
    assert server.filters == ["SampleNo eq 'SN''1' and Order eq 'SR-1'", "State eq 'EXPECTED'", ""]


def check(site: Path, server: Sunlab8, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, which sees the site's folder on its path."""
    lims = {"base_url": server.url, "provider": "SunLab", "contract": str(site / "lims_sunlab.yaml"), **settings}
    (site / "integrations.yaml").write_text(json.dumps({"lims": {**lims, "api_key": sunlab.KEY}}), encoding="utf-8")
    path = os.pathsep.join(map(str, (site, PROJECT / "plugins")))
    known = {name: value for name, value in os.environ.items() if not name.startswith("PV_")}
    command = [sys.executable, "-m", "pv_testing", "check", "--config", str(site / "integrations.yaml")]
    return subprocess.run(
        command,
        env={**known, "PYTHONPATH": path, "AIRFLOW_HOME": str(site)},
        cwd=site,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def install(site: Path) -> None:
    """Install the page's entry point, as a package's installer does."""
    (written,) = blocks(PAGE, "toml")
    (group,) = re.findall(r'^\[project\.entry-points\."(.+)"\]$', written, re.MULTILINE)
    assert group == ENTRY_POINTS
    info = site / "site_lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site_lab\nVersion: 1.0\n", encoding="utf-8")
    entries = re.findall(r'^(\w+) = "(.+)"$', written, re.MULTILINE)
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries)]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_check_finds_it_by_its_dotted_path(site: Path, server: Sunlab8) -> None:
    (written,) = (block for block in blocks(PAGE, "yaml") if "provider_class" in block)
    assert f"provider_class: {CLASS}" in written
    answer = check(site, server, provider_class=CLASS)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    broken = (site / "site_lab" / "sunlab.py").read_text().replace("RestProvider):", "RestProvider, NoSuchThing):")
    (site / "site_lab" / "sunlab.py").write_text(broken)
    answer = check(site, server, provider_class=CLASS)
    assert answer.returncode == 1
    assert "its module raises NameError when it is imported" in answer.stdout


def test_check_finds_it_by_its_entry_point(site: Path, server: Sunlab8) -> None:
    assert check(site, server).returncode == 0
    install(site)
    assert check(site, server).returncode == 0
    (site / "site_lab" / "sunlab.py").write_text("raise ValueError('not today')")
    answer = check(site, server)
    assert answer.returncode == 1
    assert "raises ValueError when it is imported: not today" in answer.stdout
    assert "[PROVIDER_UNUSABLE]" in answer.stdout


def test_what_the_page_says_of_the_methods_is_what_is_checked() -> None:
    methods = set(re.findall(r"`(?:async )?(\w+)\(", text(PAGE)))
    wanted = {"own_auth", "operation", "call", "body", "listing", "identity", "perform", "step", "find", "prepare"}
    assert wanted <= methods
