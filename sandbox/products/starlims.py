"""STARLIMS as its REST API is documented: signed headers, routes of scripts, 200 whatever a script says.

The signature is verified as the server does: over the address that the server sees, and the exact bytes that came. It
shares no code with the product.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit

from sandbox.products.serving import ProductHandler, ProductServer, running
from sandbox.products.starlims_lab import Laboratory, Row, StandIn

TRAPS = ("behind_proxy", "lower_hex")
"""``behind_proxy``: the server sees another address than callers do; ``lower_hex``: it writes ``%2b``, as .NET does."""
ROOT = "/STARLIMS/rest.web.api"
INSIDE = f"http://starlims.internal{ROOT}"
KEY, SECRET, USER = "AK-PV-2026", "starlims-secret+/0815", "pv.integration@lab.example"
FRESH = timedelta(minutes=5)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_HEX = re.compile("%[0-9A-F]{2}")


class StrangerError(Exception):
    """The caller isn't accepted; with the status of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server(ProductServer):
    """The server and what it holds."""

    def __init__(self, folder: Path, traps: Collection[str], port: int) -> None:
        super().__init__(_Handler, port)
        self.laboratory = Laboratory(folder)
        self.traps = frozenset(traps)

    def seen(self, host: str, path: str) -> str:
        """Return the address of a request as this server sees it."""
        return INSIDE + path.removeprefix(ROOT) if "behind_proxy" in self.traps else f"http://{host}{path}"

    def verify(self, method: str, url: str, headers: Any, body: bytes) -> None:
        """Verify the signature of a request.

        Raises:
            StrangerError: it is missing or wrong, or the user isn't known.
        """
        moment, key = headers.get("SL-API-Timestamp", ""), headers.get("SL-API-Auth", "")
        if key != KEY or not _MOMENT.fullmatch(moment):
            raise StrangerError(401, "Unauthorized")
        age = datetime.now(timezone.utc) - datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z")
        text = "\n".join((url, method, key, headers.get("SL-API-Method") or "", moment, body.decode()))
        digest = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()
        wanted = quote_plus(digest)
        if "lower_hex" in self.traps:
            wanted = _HEX.sub(lambda match: match[0].lower(), wanted)
        if abs(age) > FRESH or not hmac.compare_digest(wanted, headers.get("SL-API-Signature", "")):
            raise StrangerError(401, "Unauthorized")
        if headers.get("SL-API-Email", USER) != USER:
            raise StrangerError(403, "User not found/not authorized")


class _Handler(ProductHandler):
    """One request."""

    server: Server

    def answer(self, method: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the content of the answer."""
        try:
            url = self.server.seen(self.headers["Host"], self.path)
            self.server.verify(method, url, self.headers, body)
            status, answer = self._routed(method, body)
        except StrangerError as error:
            status, answer = error.status, {"message": str(error)}
        return status, json.dumps(answer).encode()

    def _routed(self, method: str, body: bytes) -> tuple[int, Row]:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        query = dict(parse_qsl(parts.query))
        given = json.loads(body) if body else query
        sample = path.removeprefix(f"{ROOT}/v1/pv/samples/")
        run = self.server.laboratory.run
        if (method, path) == ("GET", f"{ROOT}/v1/pv/users"):
            return 200, {"Success": "True", "Result": {"UserName": USER}}
        scripts = {("POST", "samples"): "CreateSample", ("GET", "samples"): "ListSamples"}
        scripts |= {("POST", "results"): "SubmitResults", ("GET", "results"): "FindResults"}
        script = scripts.get((method, path.removeprefix(f"{ROOT}/v1/pv/")))
        if script:
            return 200, run(script, given)
        if sample != path:
            return 200, run("GetSample" if method == "GET" else "UpdateSample", {**given, "SampleId": sample})
        sample = path.removeprefix(f"{ROOT}/v1/pv/status/")
        if sample != path and method == "PUT":
            return 200, run("SetStatus", {**given, "SampleId": sample})
        return 404, {"message": f"no script for {method} {path}"}


def section(server: Server) -> dict[str, Any]:
    """Return the system's part of the configuration, with the options that the traps ask for."""
    options = {"server_url": INSIDE} if "behind_proxy" in server.traps else {}
    options |= {"hex_case": "lower"} if "lower_hex" in server.traps else {}
    way = {"auth_type": "starlims", "client_id": KEY, "client_secret": SECRET, "options": options}
    return {"provider": "STARLIMS", "contract": "lims_starlims", "base_url": server.origin + ROOT, **way}


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[StandIn]:
    """Run STARLIMS.

    Args:
        folder: where its database is.
        traps: which of :data:`TRAPS` are switched on.
        port: 0 for any free one.
    """
    server = Server(folder, traps, port)
    with running(server), closing(server.laboratory):
        yield StandIn(server.laboratory, server.origin, section(server))
