"""What a provider must be able to do so that the engine can bring records into effect exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pv_testing.core.records import Found, Payload, Prepared, Record, Reply

OnChange = Literal["update", "amend", "ignore"]


@dataclass(frozen=True, slots=True)
class OperationLimits:
    """How much, how fast and how long.

    Attributes:
        batch_size: the most records that one request carries.
        change_batch_size: the same for records that the system has already, whose change may be another request.
        concurrency: the most requests at a time.
        timeout: seconds that sending one batch can take at the most, waits and repetitions included.
        horizon: seconds after which a look-up surely sees what a request has done.
        on_change: what a changed record becomes: an update in place, an amendment with its own revision, or nothing.
        look_first: whether even a record that is new to the ledger is looked up before it is sent.
        repeatable: whether what may have taken effect is sent again instead of being looked up.
        stepped: whether one record takes several requests, so that any error may come after some of its effect.
        needs_id: whether a change goes to the record with the id that the system gave, so that no two may share one.
        changes: whether even a first version only changes something that is there: whether its kind is a state of
            another record (:data:`pv_testing.contracts.kinds.STATES`).
        own_record: whether it makes a record of its own, which somebody may have made by hand under the same key; what
            it takes several steps to make, the operation itself must tell from that.
        absence_certain: whether the system has surely never taken a record that a look-up doesn't find, so that sending
            it then makes no second copy.
        stamped: whether its requests carry an idempotency key.
        one_transaction: whether what is written is settled in the same transaction, as the ledger is in the database.
    """

    batch_size: int = 1
    change_batch_size: int = 1
    concurrency: int = 8
    timeout: float = 60.0
    horizon: float = 2.0
    on_change: OnChange = "update"
    look_first: bool = False
    repeatable: bool = False
    stepped: bool = False
    needs_id: bool = False
    changes: bool = False
    own_record: bool = False
    absence_certain: bool = False
    stamped: bool = False
    one_transaction: bool = False

    @property
    def lease(self) -> float:
        """Seconds that a claim holds: longer than the longest request and the time to see its effect."""
        return 1.25 * self.timeout + self.horizon + 1.0


class Operation(Protocol):
    """One operation of one provider, as the engine uses it."""

    @property
    def name(self) -> str:
        """The operation's name in the contract, such as ``create_sample``."""

    @property
    def system(self) -> str:
        """The system that it speaks to, such as ``lims``."""

    @property
    def provider(self) -> str:
        """The product behind the system."""

    @property
    def kind(self) -> str:
        """The kind of record that it brings into effect, such as ``sample``."""

    @property
    def limits(self) -> OperationLimits:
        """How much, how fast and how long."""

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record.

        Raises:
            DataError: the record can't be carried as it is.
        """

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Send a batch and return one reply a record, in the same order.

        Raises:
            IntegrationError: the same happened to every record of the batch.
        """

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found] | None:
        """Look records up by business key; ``None`` says that the system offers no way to."""
