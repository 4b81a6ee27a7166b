"""What the chunks of one exchange share."""

from __future__ import annotations

from pv_testing.core.errors import IntegrationError
from pv_testing.exchange.operation import Operation
from pv_testing.ledger import Ledger


class ExchangeContext:
    """What the chunks of one exchange share.

    Args:
        operation: the provider's operation.
        ledger: where it is kept.
        owner: who acts.
        replay: whether records that wait for a person are tried again.
        patience: seconds to wait for records that another attempt holds.
        width: how many chunks are carried at a time.

    Attributes:
        workers: how many batches a chunk may send at a time.
        stopped: what made the exchange stop before its end; no chunk sends anything from then on.
    """

    def __init__(
        self, operation: Operation, ledger: Ledger, *, owner: str, replay: bool, patience: float, width: int
    ) -> None:
        self.operation = operation
        self.ledger = ledger
        self.owner = owner
        self.replay = replay
        self.patience = patience
        self.workers = max(1, operation.limits.concurrency // width)
        self.stopped: IntegrationError | None = None
