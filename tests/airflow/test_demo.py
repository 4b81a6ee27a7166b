"""What the demo shows is true: its receiver believes no forged event, its check of lineage finds what is missing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from demo.lineage import PMAX, Lineage
from demo.receiver import problem_of
from demo.reports import lines_of
from pv_testing.webhooks.signatures import signed, standard_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
EVENT = {"event": "sample.created", "timestamp": "2025-11-13T15:30:00Z", "data": {"customer": "Müller"}}


def sent(secret: str, body: bytes, at: float = 0.0) -> dict[str, str]:
    return standard_headers([secret], "msg_1", int(time.time() + at), body)


def test_the_receiver_believes_an_event_with_both_signatures() -> None:
    body = signed(EVENT, SECRET)
    assert problem_of(SECRET, body, sent(SECRET, body)) == ""


@pytest.mark.parametrize(
    ("in_body", "in_headers", "late", "problem"),
    [
        (SECRET, OTHER, 0, "headers: No matching signature found"),
        (SECRET, SECRET, -600, "headers: Message timestamp too old"),
        (OTHER, SECRET, 0, "body: the signature is another one"),
    ],
)
def test_the_receiver_believes_no_other_event(in_body: str, in_headers: str, late: float, problem: str) -> None:
    body = signed(EVENT, in_body)
    assert problem_of(SECRET, body, sent(in_headers, body, late)) == problem


def test_the_receiver_believes_no_event_without_headers() -> None:
    assert problem_of(SECRET, signed(EVENT, SECRET), {}) == "headers: Missing required headers"


def written(dataset: str, column: str, source: str = "measurements.Pmax", of: str = "framework/executions") -> Any:
    (system, _, name), (namespace, _, rest) = of.partition("/"), dataset.partition("/")
    field = {"namespace": f"pv://{system}", "name": name, "field": source, "transformations": []}
    lineage = {"columnLineage": {"fields": {column: {"inputFields": [field]}}}}
    return {"outputs": [{"namespace": f"pv://{namespace}", "name": rest, "facets": lineage}], "eventType": "COMPLETE"}


def lineage_of(folder: Path, *events: Any) -> Lineage:
    (folder / "events.ndjson").write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    return Lineage(folder / "events.ndjson")


def test_the_way_of_a_column_is_followed_through_what_it_becomes(tmp_path: Path) -> None:
    further = written("files/certificates", "power", "results.MaxPower_W", "lims/results")
    lineage = lineage_of(tmp_path, written("lims/results", "results.MaxPower_W"), further, further)
    ways = [(link.source[0], link.target[0]) for link in lineage.from_column(PMAX)]
    assert ways == [("framework/executions", "lims/results"), ("lims/results", "files/certificates")]


def test_invalid_events_and_a_way_that_ends_early_are_complaints(tmp_path: Path) -> None:
    lineage = lineage_of(tmp_path, written("lims/results", "results.MaxPower_W"))
    assert (lineage.tally().there, lineage.tally().wanted) == (0, 1)
    wrong = lineage.wrong()
    assert any("eventTime: is missing" in each for each in wrong)
    assert wrong[-1] == "openlineage: Pmax doesn't reach Pmax of files/exports/measurement_data"


def test_a_report_says_what_was_done_and_nothing_else() -> None:
    counts = {"lims.create_sample": {"created": 2}, "lims.update_sample": {}}
    assert list(lines_of("step", {"operations": counts, "notes": ["a remark"]})) == [
        "step: lims.create_sample 2 created",
        "  a remark",
    ]
    assert list(lines_of("deliver", {"delivered": 3, "failed": 0})) == ["deliver: 3 delivered"]
    assert list(lines_of("export", ["/a.xlsx"])) == ["export: /a.xlsx"]
