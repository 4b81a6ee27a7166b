"""Shows that a record which can't be written down waits by name, and that the others go on."""

from __future__ import annotations

import orjson
import pytest

from pv_testing.core.fingerprint import ROOM, fingerprint
from pv_testing.core.records import Record, Result
from pv_testing.exchange.engine import Exchange
from pv_testing.ledger import Ledger
from tests.unit.exchange.target import Target, records


def nested(levels: int) -> dict[str, object]:
    content: dict[str, object] = {}
    for _ in range(levels):
        content = {"a": content}
    return content


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger(request):
    with Ledger("sqlite://" if request.param == "sqlite" else request.getfixturevalue("schema")) as opened:
        yield opened


CONTENTS = {
    "half a character": {"note": "\ud800"},
    "a great number": {"note": 2**70},
    "deep": nested(300),
    "just too deep for what is around it": nested(250),
}
KEYS = {"half a character": "SN\ud800", "NUL": "SN\0", "empty": "", "long": "".join(map(str, range(3_000)))}


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "refused before"])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_content_that_cannot_be_written_down_waits_and_the_others_go_on(ledger, content, mapped):
    bad = Record("SN-bad", {**content, "bad": not mapped})
    for counted in ("created", "unchanged"):
        report = Exchange(Target(), ledger).run([*records(3), bad])
        assert (report.counts()[counted], report.counts()["quarantined"]) == (3, 1)
        (outcome,) = report.not_in_effect()
        assert (outcome.key, outcome.code) == ("SN-bad", "CONTENT_UNUSABLE" if mapped else "FIELD_MISSING")
    assert [entry.key for entry in ledger.waiting()] == ["SN-bad"]
    assert Exchange(Target(), ledger).run([Record("SN-bad", {})]).counts()["created"] == 1


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_that_cannot_be_kept_waits_under_another_and_the_others_go_on(ledger, key):
    target = Target()
    for counted in ("created", "unchanged"):
        report = Exchange(target, ledger).run([*records(3), Record(key, {"note": 1})])
        assert (report.counts()[counted], report.counts()["quarantined"]) == (3, 1)
        (outcome,) = report.not_in_effect()
        assert (outcome.key, outcome.code) == (key, "KEY_UNUSABLE"), "a caller knows it by its own key"
        report.table().encode()
    assert key not in target.sent
    assert len(list(ledger.waiting())) == 1
    assert [event.action for event in ledger.events() if event.action == "quarantine"] == ["quarantine"]


def test_keys_that_look_alike_without_what_cannot_be_kept_wait_each_under_its_own(ledger):
    keys = ["SN1\0", "SN1\ud800", "SN1\udfff", "SN1\ufffd"]
    report = Exchange(Target(), ledger).run([Record(key, {}) for key in keys])
    assert {outcome.key: outcome.result for outcome in report.outcomes} == {
        **dict.fromkeys(keys[:3], Result.QUARANTINED),
        keys[3]: Result.CREATED,
    }
    assert len(list(ledger.waiting())) == 3


def test_a_plan_names_what_cannot_be_written_down(ledger):
    bad = [Record("SN\0", {}), Record("SN-bad", {"note": 2**70})]
    plan = Exchange(Target(), ledger).plan([*records(1), *bad])
    assert {outcome.key: outcome.code for outcome in plan.not_in_effect()} == {
        "SN\0": "KEY_UNUSABLE",
        "SN-bad": "CONTENT_UNUSABLE",
    }


def test_one_key_with_two_contents_too_deep_to_be_compared_waits(ledger):
    twice = [Record("SN-bad", nested(100_000)), Record("SN-bad", nested(100_000))]
    report = Exchange(Target(), ledger).run([*records(1), *twice])
    assert (report.counts()["created"], report.counts()["quarantined"]) == (1, 1)


def test_what_has_a_fingerprint_can_be_sent_in_the_midst_of_others():
    deepest = nested(253 - ROOM)
    fingerprint(deepest)
    orjson.dumps({"samples": [deepest]})
    with pytest.raises(TypeError):
        fingerprint(nested(254 - ROOM))
