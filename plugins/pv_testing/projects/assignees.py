"""Who is assigned to which protocol, decided once: a later run must neither choose anew nor write anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import orjson

from pv_testing.ledger import Ledger
from pv_testing.projects import find_available_operator
from pv_testing.projects.people import User

OPEN = "pm/assignments"


class Assignees:
    """What the ledger remembers of assignments.

    Args:
        ledger: where they are remembered.
        keep: whether what is decided outlives this object; a dry run keeps nothing.
    """

    def __init__(self, ledger: Ledger, *, keep: bool = True) -> None:
        self._ledger = ledger
        self._keep = keep
        self._open: dict[str, dict[str, str]] = self._read(OPEN)

    def known(self, sr_number: str) -> dict[str, str]:
        """Return who was assigned to a service request's protocols; an empty address where there was nobody."""
        return dict(self._read(_name(sr_number)))

    def assign(
        self, sr_number: str, protocols: Sequence[str], users: Sequence[User] | None, roles: Sequence[str]
    ) -> dict[str, str]:
        """Return who is assigned to each protocol, and remember it before anything is sent that depends on it.

        Nothing is decided while nobody knows who there is: a protocol that wasn't assigned before is left out then.

        Args:
            sr_number: the service request's number.
            protocols: its protocols; those that were assigned before stay with whom they are.
            users: as the framework lists them; ``None`` where it refuses to.
            roles: who may be assigned.
        """
        known = self.known(sr_number)
        if users is None:
            return known
        new = [protocol for protocol in protocols if protocol not in known]
        for protocol in new:
            known[protocol] = find_available_operator(users, self._load(), roles)
            if known[protocol]:
                self._open.setdefault(sr_number, {})[protocol] = known[protocol]
        if new:
            self._write(OPEN, self._open)
            self._write(_name(sr_number), known)
        return known

    def done(self, complete: Mapping[str, Iterable[str]], followed: Container[str]) -> None:
        """Take what is complete off the load, and what nobody follows any more, such as what has been deleted.

        Args:
            complete: by service request, the protocols that are.
            followed: numbers of the service requests whose tasks are still brought up to date; whoever is assigned to
                one of another request has nothing to do there.
        """
        still = {
            sr_number: {protocol: who for protocol, who in open_.items() if protocol not in complete.get(sr_number, ())}
            for sr_number, open_ in self._open.items()
            if sr_number in followed
        }
        left = {sr_number: open_ for sr_number, open_ in still.items() if open_}
        if left != self._open:
            self._open = left
            self._write(OPEN, left)

    def _load(self) -> Counter[str]:
        return Counter(who for open_ in self._open.values() for who in open_.values())

    def _read(self, name: str) -> Any:
        kept = self._ledger.watermark(name)
        return orjson.loads(kept) if kept else {}

    def _write(self, name: str, value: object) -> None:
        if self._keep:
            self._ledger.set_watermark(name, orjson.dumps(value).decode())


def _name(sr_number: str) -> str:
    return f"pm/assignees/{sr_number}"
