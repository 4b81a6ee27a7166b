"""Which CAPAs there are already, open, closed or on their way, by scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pv_testing.errors import MappingError
from pv_testing.integrations.qms import QMSClient
from pv_testing.ledger import Entry, State
from pv_testing.quality.analysis import Earlier
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.decisions import Decisions
from pv_testing.quality.finding import Finding
from pv_testing.quality.history import moment

OPEN, CLOSED = "OPEN", "CLOSED"
LISTED_WITHIN = timedelta(days=1)


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
    qms: QMSClient, decisions: Decisions, policy: CapaPolicy, at: datetime, approved: Iterable[Finding] = ()
) -> dict[str, Earlier]:
    """Return what is known of the CAPAs of each scope.

    A CAPA is known by its business key in the QMS, whoever closed it there. One that the ledger knows and the QMS
    doesn't list is on its way; a day after it was raised it has been deleted, and counts as closed when it was raised.

    Args:
        qms: where they are.
        decisions: since when one is closed, where the QMS doesn't say.
        policy: how long a scope's window is.
        at: now.
        approved: findings whose CAPA is about to be raised.
    """
    listed = await qms.alist("get_capas")
    capas = {key: _listed(qms, decisions, key, capa, at) for capa in listed if _ours(key := _key(capa))}
    for entry in qms.ledger.entries(qms.system, "capa"):
        if _ours(entry.key) and entry.key not in capas:
            capas[entry.key] = _unlisted(entry, at)
    for finding in approved:
        capas.setdefault(finding.key, _Capa(finding.key, at))
    scopes: dict[str, list[_Capa]] = {}
    for capa in sorted(capas.values(), key=lambda each: each.number):
        scopes.setdefault(capa.scope, []).append(capa)
    return {scope: _earlier(scope, those, policy) for scope, those in scopes.items()}


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


def _key(capa: Mapping[str, Any]) -> str:
    return str(capa.get("external_id") or "")


def _ours(key: str) -> bool:
    scope, slash, number = key.rpartition("/")
    return bool(scope and slash and number.isdecimal())


def _listed(qms: QMSClient, decisions: Decisions, key: str, capa: Mapping[str, Any], at: datetime) -> _Capa:
    opened_at = moment(str(capa["created_at"])) if capa.get("created_at") else at
    if _status(qms, capa) != CLOSED:
        return _Capa(key, opened_at)
    said = str(capa.get("closed_at") or decisions.first_seen_closed(key, at.isoformat()))
    return _Capa(key, opened_at, moment(said))


def _status(qms: QMSClient, capa: Mapping[str, Any]) -> str:
    """Return our word for a CAPA's status; what nobody knows is not closed."""
    try:
        return qms.contract.vocabularies["capa_status"].read(str(capa.get("status") or ""))
    except MappingError:
        return OPEN


def _unlisted(entry: Entry, at: datetime) -> _Capa:
    raised_at = datetime.fromtimestamp(entry.changed_at, timezone.utc)
    gone = entry.state is State.CONFIRMED and at - raised_at > LISTED_WITHIN
    return _Capa(entry.key, raised_at, raised_at if gone else None)
