"""Prism as a validating proxy: holds requests and answers against a vendor's own OpenAPI file, and counts both.

The files are the vendors' and not part of this project: ``$VENDOR_FILES`` names their folder, else they are looked for
in ``vendor-files`` under ``$LIVE_HOME``.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.live.serving import LiveServer, Missing, home

PACKAGE = "@stoplight/prism-cli@5.14.2"
RECEIVED, ENDED = "Request received", "Request terminated with error"
AT_ROOT = " get / ✖"
"""How the log says that a request at the root, which no file has, has ended."""
LOGGED_WITHIN = 10.0
Document = dict[str, Any]


@dataclass(frozen=True)
class Mend:
    """Something in a vendor's file that is not as the vendor's product, and how it is put right.

    Attributes:
        reason: why it is the file that is wrong.
        apply: changes the file's document.
    """

    reason: str
    apply: Callable[[Document], None]


@dataclass(frozen=True)
class VendorFile:
    """A vendor's own description of a product that has a stand-in.

    Attributes:
        product: the stand-in's name.
        file: the file's name.
        base: the part of the product's address that the paths of the file don't have.
        mends: what is wrong in it.
        probe: a path that is written to and one that is read, neither with arguments, to see nonsense refused.
        nonsense: what is written there.
        login: the kind of credentials that the file wants.
        at_least: how many requests a service request takes.
    """

    product: str
    file: str
    base: str = ""
    mends: Sequence[Mend] = ()
    probe: tuple[str, str] = ("", "")
    nonsense: Document = field(default_factory=lambda: {"fields": 7, "data": 7})
    login: str = "Bearer any"
    at_least: int = 100


def vendor_files() -> Path:
    """Return the folder of the vendors' files."""
    return Path(os.environ.get("VENDOR_FILES") or home() / "vendor-files")


class Prism(LiveServer):
    """Prism between a client and a stand-in.

    Args:
        described: the vendor's file.
        upstream: the stand-in's address, with the part that the file's paths don't have.
        instance: its name.

    Attributes:
        described: the vendor's file.
    """

    name = "Prism"
    ready_within = 180.0

    def __init__(self, described: VendorFile, upstream: str, instance: str) -> None:
        super().__init__(f"{instance}-{described.product}")
        self.described = described
        self._upstream = upstream

    @property
    def program(self) -> Path:
        """The installed program."""
        return self.place / "node_modules" / ".bin" / "prism"

    def install(self) -> None:
        """Install Prism from the npm registry.

        Raises:
            Missing: Node or npm isn't there, or the vendor's file.
        """
        if not (vendor_files() / self.described.file).is_file():
            raise Missing(
                f"{self.described.file} isn't in {vendor_files()}; get it from the vendor, or set VENDOR_FILES"
            )
        if not self.program.exists():
            npm = shutil.which("npm")
            if npm is None or shutil.which("node") is None:
                raise Missing("Prism needs Node and npm, which are not on this machine")
            self.run([npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", self.place, PACKAGE])

    def seed(self) -> None:
        """Make nothing: Prism holds nothing."""

    def restore(self) -> None:
        """Write the vendor's file as JSON, with what is wrong in it put right."""
        text = (vendor_files() / self.described.file).read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = json.loads(text) if self.described.file.endswith(".json") else yaml.load(text, loader)  # noqa: S506
        for mend in self.described.mends:
            mend.apply(document)
        self._file.write_text(json.dumps(document, default=str), encoding="utf-8")

    @property
    def _file(self) -> Path:
        return self.home / "openapi.json"

    def command(self) -> Sequence[str | Path]:
        """Return the proxy that answers with an error where the file is not kept."""
        return [
            self.program, "proxy", "--errors", "-h", "127.0.0.1", "-p", str(self.port), self._file, self._upstream,
        ]  # fmt: skip

    def answers(self) -> bool:
        """Say whether it listens; it knows no path at its root."""
        return requests.get(self.origin, timeout=5).status_code == 404

    def held(self) -> int:
        """Return how many requests it has held against the file, beside those that asked whether it listens."""
        return self._counted(RECEIVED)

    def violations(self) -> list[str]:
        """Return each request or answer that was not as the file says."""
        return [line for line in self._lines() if ENDED in line and " get / " not in line]

    def _counted(self, text: str) -> int:
        return sum(text in line and " get / " not in line for line in self._lines())

    def _lines(self) -> list[str]:
        """Return its log; as it writes later than it answers, a last request shows that all before are written."""
        before = self._log_text().count(AT_ROOT)
        self.answers()
        give_up = time.monotonic() + LOGGED_WITHIN
        while self._log_text().count(AT_ROOT) == before:
            if time.monotonic() > give_up:
                raise TimeoutError(f"Prism has not logged a request within {LOGGED_WITHIN} s; see {self.log}")
            time.sleep(0.02)
        return self._log_text().splitlines()

    def _log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def no_content(document: Document) -> None:
    """Take the body out of answers with the status 204."""
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                operation.get("responses", {}).get("204", {}).pop("content", None)
