"""The one error tree of the project.

Every error names its actor (:class:`Actor`, who can mend it) and the next action (:class:`Action`). The Airflow
retry policy, the exchange engine and the task log read these two; nothing else decides by exception class.

::

    IntegrationError
    ├── ConfigError                 configuration or contract can't be used
    ├── SecurityError               refused for safety: TLS off, response too large, unsafe redirect
    ├── AuthenticationError         credentials missing, wrong or expired for good
    │   └── PermissionDenied        credentials are right, the permission or scope is missing
    ├── DataError                   the record itself can't be carried; it is quarantined
    │   └── MappingError            a field is missing, of the wrong type or can't be mapped
    ├── Rejected                    the system refuses the record, and would refuse it again
    │   ├── NotFound                the system doesn't know the object of the request
    │   └── Conflict                the record's state in the system forbids the operation
    ├── NetworkError                nothing took effect and another try may succeed
    │   ├── DeadlineExceeded        the time for the operation is used up
    │   ├── CircuitOpen             too many failures in a row; the system is left alone for a while
    │   └── ServerUnavailable       the system says that it can't serve now
    ├── RateLimited                 the system asks to wait; carries ``retry_after`` seconds
    ├── RequestLocked               another run carries the service request; this one did nothing
    ├── ResponseError               the answer to a read can't be understood: truncated, not JSON, of the wrong shape
    │   └── PaginationLoop          the same page came twice
    ├── AmbiguousOutcome            the request may or may not have taken effect; look it up, never repeat it blindly
    ├── LedgerError                 the ledger can't be read or written; nothing is sent
    │   ├── LeaseLost               another attempt has taken the record over
    │   └── AuditBroken             the audit chain doesn't verify
    │       └── LedgerAltered       it does, but the tables contradict it
    └── ExchangeIncomplete          some records of an exchange are not in effect; carries their outcomes
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar

from pv_testing.core import redaction
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible

EXCERPT_LIMIT = redaction.EXCERPT_LIMIT
redact = redaction.redact


class Actor(str, Enum):
    """The party that must act before the failed work can succeed."""

    CONFIGURATION = "configuration"
    SYSTEM = "system"
    TRANSIENT = "transient"
    PERSON = "person"


class Action(str, Enum):
    """The next step after the failed work."""

    RETRY = "retry"
    WAIT = "wait"
    RESOLVE = "resolve"
    REJECT = "reject"
    QUARANTINE = "quarantine"
    FAIL = "fail"


class IntegrationError(Exception):
    """An error in the work between two systems.

    Args:
        message: the event and the reader's next step, without secrets.
        system: ``framework``, ``lims``, ``qms``, ``pm`` or ``erp``.
        provider: the product behind the system.
        operation: the operation that failed, such as ``create_sample``.
        key: the business key of the record.
        code: a short reason code that stays the same over releases, such as ``UNIT_UNKNOWN``.
        excerpt: a piece of the system's answer; it is redacted and shortened here.

    Attributes:
        may_have_effect: whether a request was sent before, which may have taken effect although the system refuses it.
    """

    actor: ClassVar[Actor] = Actor.SYSTEM
    action: ClassVar[Action] = Action.FAIL
    default_code: ClassVar[str] = Reason.INTEGRATION_ERROR
    several_lines: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        system: str = "",
        provider: str = "",
        operation: str = "",
        key: str = "",
        code: str = "",
        excerpt: str = "",
    ) -> None:
        self.message = message
        self.system = system
        self.provider = provider
        self.operation = operation
        self.key = key
        self.code = str(code or self.default_code)  # plain text, whatever crosses a process border
        self.may_have_effect = False
        self.excerpt = redact(excerpt) if excerpt else ""
        super().__init__(message)

    def __str__(self) -> str:
        """Return the event with its system and record in one line; control characters of others are escaped."""
        where = " ".join(part for part in (self.system, self.provider and f"({self.provider})", self.operation) if part)
        head = ", ".join(part for part in (where, self.key) if part)
        text = f"{head}: {self.message}" if head else self.message
        line = f"{text} [{self.code}]" + (f" — the system said: {self.excerpt}" if self.excerpt else "")
        return visible(line, lines=self.several_lines)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error cross a process border with everything that it carries."""
        return _rebuild, (type(self), self.__dict__.copy())

    def about(self, **known: str) -> IntegrationError:
        """Fill in the empty ones of ``system``, ``provider``, ``operation`` and ``key``, and return the error."""
        for name, value in known.items():
            if value and not getattr(self, name):
                setattr(self, name, value)
        return self

    def marked(self, *, may_have_effect: bool) -> IntegrationError:
        """Note whether the request may have taken effect all the same, and return the error."""
        self.may_have_effect = may_have_effect
        return self


def _rebuild(cls: type[IntegrationError], state: dict[str, Any]) -> IntegrationError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    error.args = (state.get("message", ""),)
    return error


class ConfigError(IntegrationError):
    """The configuration or a contract can't be used; the message names file, line and key."""

    actor = Actor.CONFIGURATION
    default_code = Reason.CONFIG
    several_lines = True


class SecurityError(IntegrationError):
    """Something was refused for safety."""

    actor = Actor.CONFIGURATION
    default_code = Reason.SECURITY


class AuthenticationError(IntegrationError):
    """The system doesn't accept the credentials."""

    actor = Actor.CONFIGURATION
    default_code = Reason.AUTHENTICATION


class PermissionDenied(AuthenticationError):
    """The system knows the caller but doesn't allow the operation."""

    default_code = Reason.PERMISSION


class DataError(IntegrationError):
    """The record can't be carried as it is; it waits in quarantine for a person."""

    actor = Actor.PERSON
    action = Action.QUARANTINE
    default_code = Reason.DATA


class MappingError(DataError):
    """A field of the record is missing or can't be mapped to the system's field."""

    default_code = Reason.MAPPING


class Rejected(IntegrationError):
    """The system refuses the record and would refuse it again."""

    actor = Actor.PERSON
    action = Action.REJECT
    default_code = Reason.REJECTED


class NotFound(Rejected):
    """The system doesn't know the object of the request."""

    default_code = Reason.NOT_FOUND


class Conflict(Rejected):
    """The state of the record in the system forbids the operation."""

    default_code = Reason.CONFLICT


class NetworkError(IntegrationError):
    """Nothing took effect; another try may succeed."""

    actor = Actor.TRANSIENT
    action = Action.RETRY
    default_code = Reason.NETWORK


class DeadlineExceeded(NetworkError):
    """The time for the operation is used up."""

    default_code = Reason.DEADLINE


class CircuitOpen(NetworkError):
    """The system failed too often in a row and is left alone for a while."""

    default_code = Reason.CIRCUIT_OPEN


class ServerUnavailable(NetworkError):
    """The system says that it can't serve now."""

    default_code = Reason.UNAVAILABLE


class RateLimited(IntegrationError):
    """The system asks to wait.

    Args:
        retry_after: seconds from now until the system may be asked again.
    """

    actor = Actor.TRANSIENT
    action = Action.WAIT
    default_code = Reason.RATE_LIMITED

    def __init__(self, message: str, *, retry_after: float, **context: str) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class RequestLocked(IntegrationError):
    """Another run is carrying the service request, so that this one did nothing."""

    actor = Actor.TRANSIENT
    action = Action.RETRY
    default_code = Reason.SR_LOCKED


class ResponseError(IntegrationError):
    """The answer to a read can't be understood."""

    actor = Actor.TRANSIENT
    action = Action.RETRY
    default_code = Reason.RESPONSE


class PaginationLoop(ResponseError):
    """A listing gave the same page twice."""

    actor = Actor.SYSTEM
    action = Action.FAIL
    default_code = Reason.PAGINATION_LOOP


class AmbiguousOutcome(IntegrationError):
    """The request may or may not have taken effect; only a look-up can tell.

    Attributes:
        recorded: whether the ledger holds the record as unresolved, so that another try looks it up before it sends
            anything. A plain call, outside of an exchange, is not recorded: its repetition could take effect twice.
    """

    recorded: bool = False

    actor = Actor.TRANSIENT
    action = Action.RESOLVE
    default_code = Reason.AMBIGUOUS


class LedgerError(IntegrationError):
    """The ledger can't be read or written, therefore nothing is sent."""

    actor = Actor.CONFIGURATION
    action = Action.RETRY
    default_code = Reason.LEDGER


class LeaseLost(LedgerError):
    """Another attempt has taken the record over."""

    actor = Actor.TRANSIENT
    default_code = Reason.LEASE_LOST


class AuditBroken(LedgerError):
    """The audit chain doesn't verify.

    Args:
        sequence: the number of the first record that is altered, missing or out of order.
    """

    actor = Actor.PERSON
    action = Action.FAIL
    default_code = Reason.AUDIT_BROKEN

    def __init__(self, message: str, *, sequence: int, **context: str) -> None:
        super().__init__(message, **context)
        self.sequence = sequence


class LedgerAltered(AuditBroken):
    """The audit chain verifies, but the ledger's tables contradict it: somebody has changed them by hand.

    Args:
        findings: the first things that differ, each with its name.
        count: how many there are in all.
        sequence: the number of the last record of the trail.
    """

    default_code = Reason.LEDGER_ALTERED

    def __init__(self, findings: Sequence[str], count: int, *, sequence: int, **context: str) -> None:
        more = f"; and {count - len(findings)} more" if count > len(findings) else ""
        super().__init__(f"{'; '.join(findings)}{more}", sequence=sequence, **context)
        self.findings = tuple(findings)
        self.count = count


class ExchangeIncomplete(IntegrationError):
    """Some records of an exchange are not in effect.

    Args:
        waiting: how many wait for a person (rejected or quarantined).
        deferred: how many another attempt may finish.
    """

    default_code = Reason.INCOMPLETE

    def __init__(self, message: str, *, waiting: int = 0, deferred: int = 0, **context: str) -> None:
        super().__init__(message, **context)
        self.waiting = waiting
        self.deferred = deferred
