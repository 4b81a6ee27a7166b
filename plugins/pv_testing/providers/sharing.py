"""From the configuration to the limit that all tasks and hosts share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pv_testing.core.redaction import conceal
from pv_testing.ledger import Ledger
from pv_testing.transports.governor import Governor, SharedLimit, TimetableStore
from pv_testing.transports.limits import Rate

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig
    from pv_testing.config.sections import SharedLimitSection

HOUR, DAY = 3_600.0, 86_400.0


def governor_of(config: SystemConfig, ledger: Ledger) -> Governor | None:
    """Return what lets a session's requests pass within the system's shared limit; ``None`` where none is configured.

    Args:
        config: of the system.
        ledger: where the timetable is kept, unless the configuration names a Redis; and the system's wish to be left
            alone. One in memory is a trial's own, and shares nothing.
    """
    section = config.shared_limit
    if section is None or ledger.volatile:
        return None
    return Governor(
        _store(section, ledger),
        config.system,
        limit_of(section),
        paused_until=partial(ledger.paused_until, config.system),
    )


def limit_of(section: SharedLimitSection) -> SharedLimit:
    """Return what the configuration says that a system takes."""
    rate = Rate(section.requests, section.per) if section.requests else None
    quotas = [Rate(number, seconds) for number, seconds in ((section.hourly, HOUR), (section.daily, DAY)) if number]
    return SharedLimit(rate, tuple(quotas), section.reserve)


def _store(section: SharedLimitSection, ledger: Ledger) -> TimetableStore:
    if not section.redis_url:
        return ledger.timetables
    from pv_testing.transports.governor.redis_store import RedisTimetables

    conceal(section.redis_url)
    return RedisTimetables(section.redis_url)
