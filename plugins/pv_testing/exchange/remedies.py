"""Why a record waits, and what a person can do, in the words of reports and logs."""

from __future__ import annotations

TOO_SLOW = (
    "the ledger takes longer to give a lease than may pass before a request; nothing more is sent: see why its "
    "database is slow, or raise limits.total_timeout in the contract"
)
STALE = (
    "another attempt brought a different version into effect while this one waited; the next try reads the record anew"
)
MADE_OTHERWISE = (
    "the system holds a record with this key, {0}, with other content than this one, and which nothing shows to be "
    "ours: correct or remove it there, then release this one; or confirm it as it is"
)
SEE_THERE = "look in the system: confirm the record if it took effect, else release it with --absent"
