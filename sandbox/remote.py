"""The control endpoints of running systems, called from a test or a program."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.server import HOST


class Remote:
    """Systems that run somewhere on this machine.

    Args:
        sandbox_key: the value of ``X-Sandbox-Key`` that the system wants.
        ports: of the systems, by name.
    """

    def __init__(self, sandbox_key: str, ports: Mapping[str, int]) -> None:
        self.sandbox_key = sandbox_key
        self.origins = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def control(self, system: str, method: str, path: str, body: object = None) -> Any:
        """Call a control endpoint and return its JSON answer, None when it has none.

        Args:
            system: its name, such as ``lims``.
            method: the HTTP method.
            path: the part after ``/_sandbox/``.
            body: sent as JSON.
        """
        url = f"{self.origins[system]}/_sandbox/{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Sandbox-Key": self.sandbox_key, "Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
        with self._opener.open(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def set_faults(self, system: str, rules: Iterable[Mapping[str, Any]]) -> None:
        """Put these fault rules in the place of all others; none given: remove them."""
        self.control(system, "PUT", "faults", list(rules))

    def read_faults(self, system: str) -> list[dict[str, Any]]:
        """Return the fault rules and how often each struck."""
        return list(self.control(system, "GET", "faults"))

    def read_requests(self, system: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the requests after number ``since``."""
        return list(self.control(system, "GET", f"requests?since={since}"))

    def read_rate_violations(self, system: str) -> list[dict[str, Any]]:
        """Return the requests that came before a ``Retry-After`` allowed."""
        return list(self.control(system, "GET", "rate_violations")["requests"])
