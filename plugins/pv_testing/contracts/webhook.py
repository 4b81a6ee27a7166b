"""How a system tells us of events: how they are verified, where they say what they are about, and what each starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pv_testing.contracts.paths import Getter, getter

SECRET_HEADER = "X-Webhook-Secret"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """A contract's section ``webhook``, compiled.

    Attributes:
        verify: how an event shows that it is the system's own.
        header: for ``shared_secret``, the header that carries it.
        items: finds the events in a body; the body itself where it is ``None``.
        id: finds an event's id; ``None`` where it has none.
        event: find the parts of its name.
        time: finds its time; ``None`` where it says none.
        service_request: find the service request that it is about; the first that finds one counts.
        records: find ids in the system by which the ledger knows the service request, by kind.
        starts: patterns of names with the DAGs that they start.
    """

    verify: str
    header: str
    items: Getter | None
    id: Getter | None
    event: Sequence[Getter]
    time: Getter | None
    service_request: Sequence[Getter]
    records: Mapping[str, Getter]
    starts: Mapping[str, Sequence[str]]

    def dags(self, name: str) -> Iterator[str]:
        """Give the DAGs that an event starts, each once."""
        dag_ids = [dag for pattern, dags in self.starts.items() if fnmatchcase(name, pattern) for dag in dags]
        yield from dict.fromkeys(dag_ids)


def compile_webhook(written: Mapping[str, Any]) -> WebhookSpec:
    """Compile a contract's section ``webhook``."""

    def one(key: str) -> Getter | None:
        return getter(written[key]) if key in written else None

    return WebhookSpec(
        verify=written["verify"],
        header=written.get("header", SECRET_HEADER),
        items=one("items"),
        id=one("id"),
        event=_several(written.get("event", "event")),
        time=one("time"),
        service_request=_several(written.get("service_request", [])),
        records={kind: getter(path) for kind, path in written.get("records", {}).items()},
        starts=written["starts"],
    )


def _several(paths: str | Sequence[str]) -> tuple[Getter, ...]:
    return tuple(map(getter, [paths] if isinstance(paths, str) else paths))
