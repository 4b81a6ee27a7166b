"""How a system is reached: address, certificates, deadlines and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pv_testing.transports.limits import Rate
from pv_testing.transports.tls import Tls


@dataclass(frozen=True)
class RestSettings:
    """How a system is reached.

    Attributes:
        base_url: where every path starts from.
        system: its name in errors.
        provider: the product behind it, in errors.
        headers: sent with every request.
        connect_timeout: seconds for a new connection, with its name look-up and its TLS handshake.
        attempt_timeout: seconds for one attempt, from its first byte to its last.
        total_timeout: seconds for a request with all its waits and attempts.
        attempts: how often a request is tried at the most.
        backoff: seconds before the second attempt; doubled for each further one.
        backoff_cap: the longest such wait, in seconds.
        response_bytes: the greatest size of an answer, decompressed.
        rate: the system's quota.
        concurrency: the most requests at a time.
        tls: certificates, where the machine's own authorities don't do.
        breaker_failures: failures in a row after which the system is left alone.
        breaker_reset: seconds for which it is.
        allow_http: permit an address without TLS that is not on this machine.
        not_processed: HTTP statuses with which the system promises that it has done nothing.
    """

    base_url: str
    system: str = ""
    provider: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: float = 10.0
    attempt_timeout: float = 30.0
    total_timeout: float = 120.0
    attempts: int = 4
    backoff: float = 0.5
    backoff_cap: float = 30.0
    response_bytes: int = 32 * 2**20
    rate: Rate | None = None
    concurrency: int = 16
    tls: Tls = Tls()  # noqa: RUF009 - frozen
    breaker_failures: int = 10
    breaker_reset: float = 5.0
    allow_http: bool = False
    not_processed: frozenset[int] = frozenset()
