"""Whatever fails between claim and settlement, each version takes effect once, numbered without gap or double.

A model of an exchange carries one record to a model of a system that accepts everything, even the same thing twice.
Attempts die before and after the request, lose responses and are put off; the record changes, is refused, is released.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Claimed, Decision, Ledger, Refusal, Settlement

FATES = st.sampled_from(
    ["arrives", "response lost", "request lost", "dies before", "dies after", "refused", "put off", "look-up fails"]
)
CONTENTS = st.sampled_from(["a", "b", "c"])


class Exchange(RuleBasedStateMachine):
    """One record, an exchange without memory of its own, and a system that keeps a list of what it was sent."""

    @initialize()
    def begin(self) -> None:
        self.ledger = Ledger.in_memory()
        self.content = "a"
        self.system: list[tuple[int, str]] = []

    def teardown(self) -> None:
        self.ledger.close()

    @rule(content=CONTENTS)
    def change(self, content: str) -> None:
        self.content = content

    @rule(fate=FATES)
    def attempt(self, fate: str) -> None:
        """Run one attempt; every lease has ended when the next one comes."""
        self.carry(fate)

    @rule(fate=FATES, content=CONTENTS)
    def attempt_while_another_is_late(self, fate: str, content: str) -> None:
        """A second attempt takes over; the first one's settlement comes too late."""
        (late,) = self.claim()
        self.content = content
        self.carry(fate)
        if late.decision.held:
            newer = [event for event in self.ledger.events() if event.detail.get("token", 0) > late.token]
            refused = self.ledger.settle([Settlement(late, Result.DEFERRED, code="NOT_SENT")], owner="late")
            assert refused or not newer

    @rule(reason=st.sampled_from(["no unit", "no serial"]))
    def cannot_be_mapped(self, reason: str) -> None:
        self.ledger.quarantine("lims", "sample", [Refusal("k", reason, "MAPPING", reason)], owner="o")

    @rule()
    def release(self) -> None:
        self.ledger.release("lims", "sample", ["k"], owner="ana")

    @precondition(lambda self: self.system)
    @rule()
    def run_again_with_nothing_changed(self) -> None:
        """After an attempt that arrives, another one sends nothing."""
        self.carry("arrives")
        sent = list(self.system)
        self.carry("arrives")
        assert self.system == sent

    def claim(self) -> list[Claimed]:
        return self.ledger.claim("lims", "sample", [Claim("k", self.content)], owner="o", lease=0)

    def carry(self, fate: str) -> None:
        for _ in range(3):
            (claimed,) = self.claim()
            if claimed.decision is not Decision.RESOLVE:
                break
            if fate == "look-up fails":
                self.settle(claimed, Result.DEFERRED, "AMBIGUOUS")
                return
            if fate == "dies before":
                return
            found = any(revision == claimed.revision for revision, _ in self.system)
            self.settle(claimed, *((Result.ADOPTED, "") if found else (Result.DEFERRED, "ABSENT")))
        assert claimed.decision is not Decision.RESOLVE
        if claimed.decision.held:
            self.send(claimed, fate)

    def send(self, claimed: Claimed, fate: str) -> None:
        if fate in {"arrives", "response lost", "dies after"}:
            self.system.append((claimed.revision, claimed.fingerprint))
        if fate == "arrives":
            self.settle(claimed, Result.CREATED if claimed.revision == 1 else Result.UPDATED)
        elif fate in {"response lost", "request lost"}:
            self.settle(claimed, Result.DEFERRED, "AMBIGUOUS")
        elif fate == "refused":
            self.settle(claimed, Result.REJECTED, "NO")
        elif fate in {"put off", "look-up fails"}:
            self.settle(claimed, Result.DEFERRED, "NOT_SENT")

    def settle(self, claimed: Claimed, result: Result, code: str = "") -> None:
        assert self.ledger.settle([Settlement(claimed, result, code=code)], owner="o") == []

    @invariant()
    def each_version_took_effect_once(self) -> None:
        assert [revision for revision, _ in self.system] == list(range(1, len(self.system) + 1))
        contents = [content for _, content in self.system]
        assert all(one != other for one, other in pairwise(contents))

    @invariant()
    def what_is_confirmed_is_in_effect(self) -> None:
        for entry in self.ledger.entries(states=["confirmed"]):
            assert self.system[-1] == (entry.revision, entry.fingerprint)

    @invariant()
    def the_trail_is_whole(self) -> None:
        self.ledger.verify()


Exchange.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestExactlyOnce = Exchange.TestCase
