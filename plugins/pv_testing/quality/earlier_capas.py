"""Which CAPAs there are already, open, closed or on their way, by scope."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pv_testing.core.errors import DataError, MappingError, redact
from pv_testing.integrations.qms import QMSClient
from pv_testing.ledger import Entry, State
from pv_testing.quality.analysis import Earlier
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.decisions import Decisions
from pv_testing.quality.finding import CapaFinding
from pv_testing.quality.history import moment

OPEN, CLOSED = "OPEN", "CLOSED"
LISTED_WITHIN = timedelta(days=1)
FIRST_YEAR = 1970
INSTEAD = {
    "created_at": "it counts as raised when the ledger says, or today where it doesn't know the CAPA",
    "closed_at": "it counts as closed when that was first seen",
}


@dataclass(frozen=True, slots=True)
class _Capa:
    """One CAPA that is known.

    Attributes:
        key: scope and number.
        opened_at: when it was raised.
        closed_at: when it was closed; ``None`` while it is open or on its way.
    """

    key: str
    opened_at: datetime
    closed_at: datetime | None = None

    @property
    def scope(self) -> str:
        return self.key.rpartition("/")[0]

    @property
    def number(self) -> int:
        return int(self.key.rpartition("/")[2])


async def earlier_capas(
    qms: QMSClient, decisions: Decisions, policy: CapaPolicy, at: datetime, approved: Iterable[CapaFinding] = ()
) -> tuple[dict[str, Earlier], list[str]]:
    """Return the CAPAs of each scope, summed up, and remarks on those whose times can't be read.

    A CAPA is known by its business key in the QMS, whoever closed it there. One that the ledger knows and the QMS
    doesn't list is on its way; a day after it was raised it has been deleted, and counts as closed when it was raised.
    Where the QMS doesn't say when one was raised, or not legibly, the ledger's time counts.

    Args:
        qms: where they are.
        decisions: since when one is closed, where the QMS doesn't say.
        policy: how long a scope's window is.
        at: now.
        approved: findings whose CAPA is about to be raised.
    """
    listed: dict[str, dict[str, Any]] = {}
    for row in await qms.alist("get_capas"):
        key = str(row.get("external_id") or "")
        if _ours(key):
            listed[key] = row
    capas = await asyncio.to_thread(_known, qms, decisions, listed, at)
    for finding in approved:
        capas.setdefault(finding.key, _Capa(finding.key, at))
    scopes: dict[str, list[_Capa]] = {}
    for capa in sorted(capas.values(), key=lambda each: each.number):
        scopes.setdefault(capa.scope, []).append(capa)
    earlier = {scope: _earlier(scope, those, policy) for scope, those in scopes.items()}
    notes: list[str] = []
    for key, row in listed.items():
        notes += _unclear(key, row)
    return earlier, notes


def _known(
    qms: QMSClient, decisions: Decisions, listed: Mapping[str, Mapping[str, Any]], at: datetime
) -> dict[str, _Capa]:
    """Return the CAPAs that the QMS lists or the ledger knows, by key."""
    raised = {entry.key: entry for entry in qms.ledger.entries(qms.system, "capa") if _ours(entry.key)}
    there = {key: _listed(qms, decisions, key, capa, at, raised.get(key)) for key, capa in listed.items()}
    return there | {key: _unlisted(entry, at) for key, entry in raised.items() if key not in listed}


def _earlier(scope: str, capas: list[_Capa], policy: CapaPolicy) -> Earlier:
    kind, _, value = scope.rpartition(":")
    window = timedelta(days=policy.rule_of(kind or "protocol", value).window_days)
    closed = [(capa.opened_at - window, capa.closed_at) for capa in capas if capa.closed_at is not None]
    open_ones = [capa.key for capa in capas if capa.closed_at is None]
    return Earlier(
        number=capas[-1].number,
        open=open_ones[-1] if open_ones else "",
        closed_at=max((end for _, end in closed), default=None),
        dealt_with=tuple(closed),
    )


def _ours(key: str) -> bool:
    scope, slash, number = key.rpartition("/")
    return bool(scope and slash and number.isdecimal())


def _listed(
    qms: QMSClient, decisions: Decisions, key: str, capa: Mapping[str, Any], at: datetime, entry: Entry | None
) -> _Capa:
    opened_at = _time(capa, "created_at") or (_changed(entry) if entry else at)
    if _status(qms, capa) != CLOSED:
        return _Capa(key, opened_at)
    return _Capa(key, opened_at, _time(capa, "closed_at") or moment(decisions.first_seen_closed(key, at.isoformat())))


def _time(capa: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time that the QMS says; ``None`` where it says none that can be read, or one before there was any QMS.

    Some products write the first day of their calendar for a time that they don't know.
    """
    try:
        time = moment(str(capa[name])) if capa.get(name) else None
    except DataError:
        return None
    return time if time and time.year >= FIRST_YEAR else None


def _unclear(key: str, capa: Mapping[str, Any]) -> Iterable[str]:
    """Say which times of a CAPA can't be read."""
    for name, instead in INSTEAD.items():
        if capa.get(name) and _time(capa, name) is None:
            yield f"{key}: its {name} in the QMS, {redact(str(capa[name]), 60)!r}, is no time; {instead}"


def _status(qms: QMSClient, capa: Mapping[str, Any]) -> str:
    """Return our word for a CAPA's status; one with an unknown word is not closed."""
    try:
        return qms.contract.vocabularies["capa_status"].read(str(capa.get("status") or ""))
    except MappingError:
        return OPEN


def _unlisted(entry: Entry, at: datetime) -> _Capa:
    raised_at = _changed(entry)
    gone = entry.state is State.CONFIRMED and at - raised_at > LISTED_WITHIN
    return _Capa(entry.key, raised_at, raised_at if gone else None)


def _changed(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.changed_at, timezone.utc)
