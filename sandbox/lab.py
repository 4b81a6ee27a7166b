"""A whole sandbox for tests and programs: servers on free ports, and hands and eyes for a judge."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox import server, systems
from sandbox.judge import Judge
from sandbox.remote import Remote
from sandbox.seed import SeedPlan, seed
from sandbox.settings import Credentials, Settings

FRAMEWORK = "framework"
LIMS = "lims"
ERP = "erp"
SYSTEMS = tuple(systems.SYSTEMS)


class Lab(Remote, Judge):
    """A running sandbox: its addresses and credentials, the laboratory's hands, the judge's eyes.

    Args:
        settings: how it was started.
        credentials: of its callers.
        ports: of the servers, by system.
    """

    def __init__(self, settings: Settings, credentials: Credentials, ports: Mapping[str, int]) -> None:
        Remote.__init__(self, credentials.sandbox_key, ports)
        Judge.__init__(self, settings)
        self.credentials = credentials

    @property
    def framework_url(self) -> str:
        """Base address of the framework's API."""
        return f"{self.origins[FRAMEWORK]}/api/v1"

    @property
    def lims_url(self) -> str:
        """Base address of the LIMS's API."""
        return f"{self.origins[LIMS]}/api/v2"

    def url(self, system: str) -> str:
        """Return the base address of a system's API."""
        own = {FRAMEWORK: self.framework_url, LIMS: self.lims_url}
        return own[system] if system in own else f"{self.origins[system]}/api"

    def announcement(self) -> dict[str, Any]:
        """Return addresses and credentials as ``python -m sandbox`` prints them."""
        addresses = {f"{system}_url": self.url(system) for system in self.origins}
        return {**addresses, "data": str(self.settings.data), **asdict(self.credentials)}

    def faults(self, system: str, *rules: Mapping[str, Any]) -> None:
        """Put these fault rules in the place of all others; none given: remove them."""
        self.set_faults(system, rules)

    def fault_report(self, system: str) -> list[dict[str, Any]]:
        """Return a system's fault rules and how often each struck."""
        return self.read_faults(system)

    def requests(self, system: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the requests that a system saw."""
        return self.read_requests(system, since)

    def rate_violations(self, system: str) -> list[dict[str, Any]]:
        """Return the requests that came before a ``Retry-After`` allowed."""
        return self.read_rate_violations(system)

    def receive(self, project_id: str | None = None, ids: Sequence[str] | None = None) -> list[str]:
        """Let samples arrive at the laboratory, all when none are named, and return their ids."""
        body: dict[str, Any] = {"all": project_id is None and ids is None}
        body.update({name: each for name, each in (("project_id", project_id), ("ids", ids)) if each is not None})
        return list(self.control(LIMS, "POST", "receive", body)["received"])

    def advance(self, sr_id: int, status: str) -> str:
        """Let a service request reach a status, and return the one it has now."""
        return str(self.control(FRAMEWORK, "POST", f"service_requests/{sr_id}/advance", {"status": status})["status"])

    def run_executions(self, sr_id: int | None = None, fraction: float = 1.0, *, complete: bool = True) -> int:
        """Run executions of a request, or of all, and return how many changed."""
        body = {"sr_id": sr_id, "fraction": fraction, "complete": complete}
        return int(self.control(FRAMEWORK, "POST", "run_executions", body)["executions"])

    def correct(self, execution_id: int, measurements: Mapping[str, Any]) -> None:
        """Put re-analysed measurements in the place of an execution's earlier ones."""
        self.control(FRAMEWORK, "POST", f"executions/{execution_id}/correct", {"measurements": measurements})

    def decide(self, execution_id: int, qc_status: str, overall: str | None = None, **criteria: Any) -> None:
        """Put other verdicts in the place of an execution's earlier ones; ``overall`` is the same if it isn't given."""
        body = {"qc_status": qc_status, "overall": overall, **criteria}
        self.control(FRAMEWORK, "POST", f"executions/{execution_id}/decide", body)

    def close(self, system: str, register: str, identity: str, closed_at: str | None = None) -> dict[str, Any]:
        """Close a document as people do, such as a report in the QMS's register ``nc-reports``."""
        return dict(self.control(system, "POST", f"{register}/{identity}/close", {"closed_at": closed_at}))

    def withdraw(self, sr_id: int, protocol_id: str) -> None:
        """Withdraw a protocol of a service request."""
        self.control(FRAMEWORK, "POST", f"service_requests/{sr_id}/withdraw", {"protocol_id": protocol_id})

    def pay(self, invoice_id: str, at: str = "2026-01-15T09:00:00Z") -> None:
        """Let the money for a posted invoice come in."""
        self.control(ERP, "POST", f"invoices/{invoice_id}/pay", {"at": at})

    def cancel(self, invoice_id: str) -> None:
        """Let somebody cancel the draft of an invoice."""
        self.control(ERP, "POST", f"invoices/{invoice_id}/cancel")

    def vanish(self, sr_id: int) -> None:
        """Delete a service request half-way: listed, but not to be read."""
        self.control(FRAMEWORK, "POST", f"service_requests/{sr_id}/vanish")

    def tell(self, event: str, data: Mapping[str, Any], times: int = 1) -> list[int]:
        """Let the framework send an event to the webhooks that want it, and return the statuses of the answers."""
        body = {"event": event, "data": dict(data), "times": times}
        return list(self.control(FRAMEWORK, "POST", "tell", body)["statuses"])

    def know_customer(self, name: str) -> str:
        """Let the ERP know a customer, and return its id there."""
        return str(self.control(ERP, "POST", "customers", {"name": name})["id"])

    def seed(self, wanted: SeedPlan) -> dict[str, int]:
        """Add a laboratory to the framework and return the number of rows added."""
        return seed(self.settings.database(FRAMEWORK), wanted)


def ports_of(announcement: Mapping[str, Any]) -> dict[str, int]:
    """Return the systems' ports, as ``python -m sandbox`` announced their addresses."""
    return {system: urlsplit(announcement[f"{system}_url"]).port or 0 for system in SYSTEMS}


@contextmanager
def serve(
    data: Path | None = None,
    *,
    seed_plan: SeedPlan | None = None,
    credentials: Credentials | None = None,
    **settings: Any,
) -> Iterator[Lab]:
    """Run a sandbox on free ports in a background thread.

    Args:
        data: directory of its databases; a temporary one when not given.
        seed_plan: the laboratory to begin with; an empty one when not given.
        credentials: of its callers; random without it.
        **settings: further fields of :class:`sandbox.settings.Settings`, such as ``idempotency=True``.

    Yields:
        The running sandbox.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-") as temporary:
        chosen = Settings(data or Path(temporary), **settings)
        known = credentials or Credentials.kept(chosen.data)
        if seed_plan:
            seed(chosen.database(FRAMEWORK), seed_plan)
        with server.in_thread(lambda: systems.every(chosen, known)) as running:
            yield Lab(chosen, known, running.ports)


@contextmanager
def spawn(data: Path, *arguments: str) -> Iterator[Lab]:
    """Run a sandbox in a process of its own, so that it takes no time from the caller's.

    Args:
        data: directory of its databases.
        *arguments: further arguments of ``python -m sandbox``, such as ``"--seed-on-start"``.

    Yields:
        The running sandbox.

    Raises:
        RuntimeError: it didn't start; the cause is on its standard error.
    """
    command = [sys.executable, "-m", "sandbox", "serve", "--data", str(data), *arguments]
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"The sandbox didn't start; it ended with status {process.wait()}")
            yield Lab(Settings(data), Credentials.kept(data), ports_of(json.loads(line)))
        finally:
            process.terminate()
