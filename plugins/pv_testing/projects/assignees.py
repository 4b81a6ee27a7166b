"""Who is assigned to which protocol, decided once: a later run must neither choose anew nor write anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from pv_testing.ledger import Ledger
from pv_testing.projects import find_available_operator
from pv_testing.projects.people import User

OPEN = "pm/assignments"
Open = dict[str, dict[str, str]]
"""Who is assigned to what is not complete: addresses by protocol, by service request."""


class Assignees:
    """What the ledger remembers of assignments.

    Args:
        ledger: where they are remembered.
        keep: whether what is decided outlives this object; a dry run keeps nothing.
    """

    def __init__(self, ledger: Ledger, *, keep: bool = True) -> None:
        self._ledger = ledger
        self._keep = keep
        self._open: Open = ledger.state(OPEN, {})

    def known(self, sr_number: str) -> dict[str, str]:
        """Return who was assigned to a service request's protocols; an empty address where no user could be."""
        known: dict[str, str] = self._ledger.state(_name(sr_number), {})
        return dict(known)

    def assign(
        self, sr_number: str, protocols: Sequence[str], users: Sequence[User] | None, roles: Sequence[str]
    ) -> dict[str, str]:
        """Return who is assigned to each protocol, and remember it before anything is sent that depends on it.

        Nothing is decided while the users are unknown: a protocol that wasn't assigned before is left out then.

        Args:
            sr_number: the service request's number.
            protocols: its protocols; those that were assigned before stay with whom they are.
            users: as the framework lists them; ``None`` where it refuses to.
            roles: who may be assigned.
        """
        known = self.known(sr_number)
        new = [protocol for protocol in protocols if protocol not in known]
        if users is None or not new:
            return known

        def with_new(kept: Open) -> Open:
            # Within the change, so that two runs that assign at the same time see each other's load.
            chosen, load = dict(kept.get(sr_number, {})), _load(kept)
            for protocol in new:
                if protocol not in chosen and (operator := find_available_operator(users, load, roles)):
                    chosen[protocol] = operator
                    load[operator] += 1
            return {**kept, sr_number: chosen} if chosen else kept

        self._open = self._ledger.update(OPEN, with_new, {}) if self._keep else with_new(self._open)
        chosen = self._open.get(sr_number, {})
        known.update({protocol: chosen.get(protocol, "") for protocol in new})
        return self._ledger.update(_name(sr_number), lambda kept: {**known, **kept}, {}) if self._keep else known

    def done(self, complete: Mapping[str, Iterable[str]], followed: Container[str]) -> None:
        """Take off the load what is complete, and what is followed no more, such as what has been deleted.

        Args:
            complete: by service request, the protocols that are.
            followed: numbers of the service requests whose tasks are still brought up to date; whoever was assigned to
                another request before this object was made has nothing to do there.
        """
        before = self._open

        def still_open(kept: Open) -> Open:
            left: Open = {}
            for sr_number, assigned in kept.items():
                done = set(complete.get(sr_number, ()))
                rest = {protocol: who for protocol, who in assigned.items() if protocol not in done}
                if rest and (sr_number in followed or sr_number not in before):
                    left[sr_number] = rest
            return left

        self._open = self._ledger.update(OPEN, still_open, {}) if self._keep else still_open(self._open)


def _load(assigned: Open) -> Counter[str]:
    load: Counter[str] = Counter()
    for by_protocol in assigned.values():
        load.update(by_protocol.values())
    return load


def _name(sr_number: str) -> str:
    return f"pm/assignees/{sr_number}"
