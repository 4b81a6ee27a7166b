"""The pieces of work of a chunk: a batch to send, and records to look up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pv_testing.core.errors import IntegrationError
from pv_testing.core.records import Prepared
from pv_testing.exchange.next_action import Purpose


class Send(NamedTuple):
    """A batch that is to be sent.

    Attributes:
        batch: the records.
        rounds: how often they may be sent, this time included.
        wait: seconds to wait before.
    """

    batch: Sequence[Prepared]
    rounds: int
    wait: float = 0.0


class LookUp(NamedTuple):
    """Records of which a look-up must tell what became of them.

    Attributes:
        items: the records.
        rounds: how often they may be sent, counting the time before.
        purpose: why they are looked up.
        error: what was raised when they were sent, if anything was.
        why: why their fate is unclear, where no error says it.
    """

    items: Sequence[Prepared]
    rounds: int
    purpose: Purpose
    error: IntegrationError | None = None
    why: str = ""


Work = Send | LookUp
