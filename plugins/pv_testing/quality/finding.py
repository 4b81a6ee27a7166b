"""A finding: failures that recur so often that a CAPA is due, with all that a person needs to decide on it.

It is kept in the ledger as JSON under the digest of its content, so that what is approved is what is created.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pv_testing.core.errors import DataError

KINDS = ("protocol", "model", "equipment", "criterion")


@dataclass(frozen=True, slots=True)
class Scope:
    """What failures have in common.

    Attributes:
        kind: ``protocol``, ``model`` or ``equipment``.
        value: which of them.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        return self.value if self.kind == "protocol" else f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True)
class Signal:
    """Whether the rate of failures is higher than usual.

    Attributes:
        known: whether the baseline says what is usual.
        rises: whether the rate is higher than usual.
        probability: of so many failures or more while nothing has changed.
        level: below which probability a rise counts.
        usual_rate: share of failures that the baseline lets expect.
        usually_failed: failed tests of the baseline.
        usually_tested: tests of the baseline.
        scopes: how many scopes share the allowance of false alarms.
    """

    known: bool
    rises: bool
    probability: float
    level: float
    usual_rate: float
    usually_failed: int
    usually_tested: int
    scopes: int


@dataclass(frozen=True, slots=True)
class Period:
    """One point of the control chart.

    Attributes:
        until: its end, as a date.
        failed: tests that failed; a module counts once a protocol.
        tested: tests.
    """

    until: str
    failed: int
    tested: int


@dataclass(frozen=True, slots=True)
class Stratum:
    """One bar of the Pareto chart.

    Attributes:
        name: of the criterion, the model, the equipment or the protocol.
        modules: distinct modules that failed under it.
        together: distinct modules that failed under it or under one before it.
    """

    name: str
    modules: int
    together: int


@dataclass(frozen=True, slots=True)
class CapaFinding:
    """Failures that recur.

    Attributes:
        key: business key of the CAPA, scope and running number, such as ``PVTP-018/1``.
        kind: what the failures have in common.
        value: which of them.
        at: when it was found, RFC 3339 in UTC.
        since: from when on failures count.
        window_days: of the rule.
        threshold: of the rule.
        modules: distinct modules that failed.
        failed: failed tests of the window; a module counts once a protocol.
        tested: tests of the window.
        failures: failed executions.
        signal: whether the rate is higher than usual.
        strata: the failures by ``protocol``, ``model``, ``equipment`` and ``criterion``, most modules first.
        chart: the points of the control chart, oldest first.
        executions: the failed executions, a row each.
        capa: the CAPA's record as the contract's field map reads it, but for who approved it.
    """

    key: str
    kind: str
    value: str
    at: str
    since: str
    window_days: int
    threshold: int
    modules: int
    failed: int
    tested: int
    failures: int
    signal: Signal
    strata: Mapping[str, Sequence[Stratum]]
    chart: Sequence[Period]
    executions: Sequence[Mapping[str, Any]]
    capa: Mapping[str, Any]

    @property
    def scope(self) -> str:
        """The scope's name, what stands before the number in the key."""
        return str(Scope(self.kind, self.value))

    @property
    def execution_ids(self) -> frozenset[str]:
        """Which executions failed."""
        return frozenset(str(row["execution_id"]) for row in self.executions)

    def document(self) -> str:
        """Return the finding as canonical JSON."""
        return orjson.dumps(self, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def digest(self) -> str:
        """SHA-256 of the document, in hexadecimal digits."""
        return digest_of(self.document())


def digest_of(document: str) -> str:
    """Return the SHA-256 of a document."""
    return hashlib.sha256(document.encode()).hexdigest()


def read_finding(document: str, digest: str) -> CapaFinding:
    """Return the finding that a document describes.

    Args:
        document: as :meth:`CapaFinding.document` writes it.
        digest: that it was kept under.

    Raises:
        DataError: the document has been changed since, so that no approval of it counts.
    """
    if digest_of(document) != digest:
        message = (
            "its content has changed in the ledger since it was found, so no approval of it counts; run pv_capa again"
        )
        raise DataError(f"finding {digest[:12]}: {message}", code="FINDING_CHANGED")
    fields = orjson.loads(document)
    fields["signal"] = Signal(**fields["signal"])
    fields["chart"] = [Period(**period) for period in fields["chart"]]
    for kind, rows in fields["strata"].items():
        fields["strata"][kind] = [Stratum(**row) for row in rows]
    return CapaFinding(**fields)
