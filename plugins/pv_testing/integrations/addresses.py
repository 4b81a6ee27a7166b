"""The address under which a ledger knows each system: a record in effect there says nothing of another system.

A test system and the real one on the same ledger would share their records: a record in effect in the one would never
be sent to the other. Therefore the ledger remembers the address of each system's first exchange. A warning tells of
another address until a person says that the system has moved.
"""

from __future__ import annotations

import logging
from functools import cache
from urllib.parse import urlsplit

import orjson

from pv_testing.ledger import Ledger
from pv_testing.ledger.marks import ADDRESS

DIFFERS = (
    "the records of this ledger were carried to {0}, and base_url is {1} now. Records that are in effect at the old "
    "address are not sent to the new one. For another system, such as a test system, configure another ledger; where "
    "the same system has moved, say so once: python -m pv_testing moved {2} {1}"
)

log = logging.getLogger(__name__)


def state_key(system: str) -> str:
    """Return the key under which the ledger's state store keeps a system's address."""
    return f"{system}{ADDRESS}"


def comparable(base_url: str) -> str:
    """Return an address without what doesn't tell systems apart: user, query, a slash at the end, capital letters."""
    parts = urlsplit(base_url)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"


def difference(system: str, known: str, base_url: str) -> str:
    """Say that a system is addressed otherwise than the ledger knows; empty where it isn't.

    Args:
        system: such as ``lims``.
        known: the address that the ledger knows, or empty.
        base_url: the address of today, or empty where it isn't known.
    """
    address = comparable(base_url)
    if not known or not base_url or known == address:
        return ""
    return DIFFERS.format(known, address, system)


def notice(ledger: Ledger, system: str, base_url: str, *, keep: bool) -> None:
    """Remember the address of a system's first exchange; log once a process that a later one goes elsewhere.

    Args:
        ledger: where records are about to be claimed.
        system: where they go.
        base_url: its address.
        keep: whether an address may be written, which a dry run mustn't.
    """
    known = ledger.state(state_key(system), "")
    if known:
        _warn_once(system, difference(system, known, base_url))
    elif keep:
        ledger.update(state_key(system), lambda kept: kept or comparable(base_url), "")


@cache
def _warn_once(system: str, warning: str) -> None:
    if warning:
        log.warning("%s: %s", system, warning)


def move(ledger: Ledger, system: str, base_url: str, *, owner: str) -> None:
    """Note that a system has moved: its records in this ledger are in effect at the new address.

    Args:
        ledger: knows the records.
        system: such as ``lims``.
        base_url: its new address.
        owner: who says so, for the audit trail.
    """
    address = comparable(base_url)
    detail = {"from": ledger.state(state_key(system), ""), "to": address}
    marks = {state_key(system): lambda _: orjson.dumps(address).decode()}
    ledger.record("moved", system=system, owner=owner, detail=detail, marks=marks)
