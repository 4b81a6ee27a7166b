"""Whatever becomes of requests and look-ups, a run that says "in effect" is right, and no record exists twice.

Random histories: records change and change back, answers get lost before and after the effect, attempts are killed at
any request, look-ups fail, records are refused or can't be mapped. Every lease has ended when the next run comes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pv_testing.core.errors import AmbiguousOutcome, AuthenticationError, MappingError, NetworkError, ResponseError
from pv_testing.core.fingerprint import idempotency_key
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from tests.unit.exchange.target import Ending

KEYS = ("A", "B", "C")
SENDS = [
    "fine",
    "lost before",
    "lost after",
    "half lost",
    "unreadable",
    "unclear",
    "down",
    "no login",
    "killed before",
    "killed after",
    "refused",
    "busy",
]
LOOKS = ["fine", "down", "killed"]


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Register:
    """A system that keeps every version of every record, and makes a second one whenever it is asked to.

    Attributes:
        limits: of the operation.
        honours: whether it does nothing for an idempotency key that it has seen.
        records: by id, the business key and the contents in their order.
        revisions: by id, the revisions of the contents.
    """

    limits: OperationLimits
    honours: bool = False
    records: dict[str, tuple[str, list[object]]] = field(default_factory=dict)
    revisions: dict[str, list[int]] = field(default_factory=dict)
    sends: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    requests: int = 0

    name, system, provider, kind = "create_sample", "lims", "Register", "sample"

    def prepare(self, record: Record) -> Payload:
        if record.data["content"] == "bad":
            raise MappingError("Missing field", code="FIELD_MISSING")
        return dict(record.data)

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        self.requests += 1
        fate = self.sends.pop(0) if self.sends else "fine"
        if fate == "down":
            raise NetworkError("connection refused")
        if fate == "no login":
            raise AuthenticationError("the key is not accepted")
        if fate == "lost before":
            raise AmbiguousOutcome("connection dropped")
        if fate == "killed before":
            raise Killed
        if fate == "refused":
            return [Reply(Verdict.REJECTED, reason="no", code="NO") for _ in batch]
        if fate == "busy":
            return [Reply(Verdict.RETRYABLE, reason="busy", retry_after=0.001) for _ in batch]
        return self._take_batch(batch, fate)

    def _take_batch(self, batch: Sequence[Prepared], fate: str) -> Sequence[Reply]:
        taken = batch[: (len(batch) + 1) // 2] if fate == "half lost" else batch
        replies = [Reply(Verdict.OK, self._take(item)) for item in taken]
        if fate in {"lost after", "half lost"}:
            raise self._broken()
        if fate == "unreadable":
            raise ResponseError("the answer is not JSON")
        if fate == "killed after":
            raise Killed
        if fate == "unclear":
            return [Reply(Verdict.AMBIGUOUS, reason="the server has failed") for _ in batch]
        return replies

    def _broken(self) -> Exception:
        message = "the answer broke off"
        knows = self.limits.repeatable or self.limits.stepped
        return NetworkError(message) if knows else AmbiguousOutcome(message)

    def _take(self, item: Prepared) -> str:
        again = idempotency_key(self.system, self.kind, item.key, item.fingerprint, item.revision)
        if self.honours and again in self.seen:
            return self.seen[again]
        puts = self.limits.repeatable and self._ids(item.key)
        external_id = item.external_id or (puts[0] if puts else f"R-{len(self.records) + 1}")
        _, contents = self.records.setdefault(external_id, (item.key, []))
        contents.append(item.payload["content"])
        self.revisions.setdefault(external_id, []).append(item.revision)
        self.seen[again] = external_id
        return external_id

    def _ids(self, key: str) -> list[str]:
        return [external_id for external_id, (owner, _) in self.records.items() if owner == key]

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found] | None:
        if self.limits.repeatable:
            return None
        fate = self.looks.pop(0) if self.looks else "fine"
        if fate == "down":
            raise NetworkError("connection refused")
        if fate == "killed":
            raise Killed
        return {item.key: self._found(item, ids) for item in batch if (ids := self._ids(item.key))}

    def _found(self, item: Prepared, ids: Sequence[str]) -> Found:
        in_effect = {
            "update": self.records[ids[0]][1][-1] == item.payload["content"],
            "amend": item.revision in self.revisions[ids[0]],
            "ignore": True,
        }[self.limits.on_change]
        return Found(ids[0], in_effect=in_effect, copies=len(ids))

    def contents(self, key: str) -> list[object]:
        """Return the contents that a record has had, one after the other."""
        (external_id,) = self._ids(key)
        return self.records[external_id][1]


RUN = st.fixed_dictionaries(
    {
        "contents": st.tuples(*[st.sampled_from(["a", "a", "b", "b", "c", "bad"])] * len(KEYS)),
        "sends": st.lists(st.sampled_from(SENDS), max_size=5),
        "looks": st.lists(st.sampled_from(LOOKS), max_size=4),
        "replay": st.booleans(),
    }
)


def run(content: str, sends: Sequence[str] = (), looks: Sequence[str] = ()) -> dict[str, object]:
    """Return a run of all records with one content."""
    return {"contents": (content,) * len(KEYS), "sends": [*sends], "looks": [*looks], "replay": False}


# The first record's change takes effect and so does the change back, and neither is learned of.
THERE_AND_BACK = [
    run("b", ["lost after"], ["down"]),
    run("a", ["fine", "fine", "lost after"], ["fine", "fine", "down"]),
]

# The change takes effect, is not learned of, and is then refused or not taken.
LOST = ["unclear", "fine", "fine"]
REFUSED_LATER = [run("a"), run("b", ["killed after"]), run("b", ["refused"]), run("a")]
REFUSED_AT_ONCE = [run("a"), run("b", [*LOST, "refused"]), run("a")]
BUSY_AT_LAST = [run("a"), run("b", [*LOST, "busy", "busy", "busy"]), run("a")]
STOPPED_AT_LAST = [run("a"), run("b", ["unclear", "no login"]), run("a")]


@pytest.mark.parametrize(
    ("on_change", "flags"),
    [
        ("update", ()),
        ("update", ("look_first",)),
        ("update", ("own_record",)),
        ("update", ("own_record", "look_first")),
        ("update", ("repeatable",)),
        ("update", ("stepped",)),
        ("amend", ()),
        ("amend", ("stepped",)),
        ("ignore", ()),
        ("ignore", ("look_first",)),
    ],
    ids=str,
)
@settings(max_examples=60, deadline=None)
@example(runs=[run("a"), *THERE_AND_BACK, run("b")], batch=1, honours=True)
@example(runs=[run("a"), run("b", ["lost after"]), run("a")], batch=1, honours=False)
@example(runs=REFUSED_LATER, batch=1, honours=False)
@example(runs=REFUSED_AT_ONCE, batch=1, honours=False)
@example(runs=BUSY_AT_LAST, batch=1, honours=False)
@example(runs=STOPPED_AT_LAST, batch=1, honours=False)
@given(runs=st.lists(RUN, min_size=1, max_size=6), batch=st.sampled_from([1, 2]), honours=st.booleans())
def test_what_a_run_calls_in_effect_is_in_effect_and_nothing_exists_twice(on_change, flags, runs, batch, honours):
    limits = OperationLimits(
        batch_size=batch,
        change_batch_size=batch,
        concurrency=4,
        timeout=1,
        horizon=0,
        on_change=on_change,
        **dict.fromkeys(flags, True),
    )
    register = Register(limits, honours)
    with Ending.in_memory() as ledger:
        for step in runs:
            register.sends, register.looks = [*step["sends"]], [*step["looks"]]
            with contextlib.suppress(Killed):
                carry(register, ledger, step["contents"], replay=step["replay"])
            register.sends, register.looks = [], []
        final = tuple("a" if content == "bad" else content for content in runs[-1]["contents"])
        report = carry(register, ledger, final, replay=True)
        assert not report.not_in_effect(), "a run without any fault brings everything into effect"
        requests = register.requests
        carry(register, ledger, final)
        assert register.requests == requests, "and another one sends nothing"
        ledger.verify()


def carry(register, ledger, contents, *, replay=False):
    records = [Record(key, {"content": content}) for key, content in zip(KEYS, contents, strict=True)]
    try:
        report = Exchange(register, ledger, replay=replay).run(records)
    finally:
        owners = [key for key, _ in register.records.values()]
        assert len(owners) == len(set(owners)), "a record exists twice"
    wanted = dict(zip(KEYS, contents, strict=True))
    for outcome in report.outcomes:
        if outcome.result.in_effect:
            check(register, outcome.key, wanted[outcome.key])
    return report


def check(register, key, wanted):
    had = register.contents(key)
    if register.limits.on_change != "ignore":
        assert had[-1] == wanted, f"{key} should be {wanted} and is {had}"
    if register.limits.on_change == "amend":
        (external_id,) = register._ids(key)
        assert register.revisions[external_id] == list(range(1, len(had) + 1)), "revisions are dense"
        assert all(one != other for one, other in pairwise(had)), "each amendment says something new"
