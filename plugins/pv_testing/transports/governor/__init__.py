"""One limit for all tasks and hosts: each process leases a few of a system's time slots, and sends within them."""

from pv_testing.transports.governor.governor import Governor
from pv_testing.transports.governor.shared_limit import SharedLimit
from pv_testing.transports.governor.timetable import Ask, Grant, lease
from pv_testing.transports.governor.timetable_store import Leased, TimetableStore

__all__ = ["Ask", "Governor", "Grant", "Leased", "SharedLimit", "TimetableStore", "lease"]
