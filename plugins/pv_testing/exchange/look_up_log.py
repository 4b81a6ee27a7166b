"""What a look-up has shown, in the log and in numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from pv_testing.core import metrics
from pv_testing.core.records import Found, Prepared
from pv_testing.exchange.operation import Operation

log = logging.getLogger(__name__)


def log_look_up(operation: Operation, items: Sequence[Prepared], found: Mapping[str, Found] | None) -> None:
    """Say how many records are in effect, not there, or there otherwise.

    Args:
        operation: that has looked them up.
        items: the records.
        found: what was found of them; ``None`` where the system offers no look-up.
    """
    name = f"{operation.name} on {operation.system}"
    if found is None:
        log.warning("%s: %d records may be in effect, and the system offers no look-up", name, len(items))
        return
    seen = [found[item.key] for item in items if item.key in found]
    effective = sum(each.in_effect and each.copies == 1 and not each.unclear for each in seen)
    told = (name, len(items), effective, len(items) - len(seen), len(seen) - effective)
    log.info("%s: %d records looked up: %d in effect, %d not there, %d otherwise or unclear", *told)
    metrics.count("look_ups", len(items), system=operation.system, operation=operation.name)
