"""LabVantage's SapphireBasicWS as a product of the laboratory: :mod:`sandbox.sapphire`, asked as the others are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox import sapphire

TRAPS = ("error_after_commit",)
"""``error_after_commit``: the first sample and the first result set are answered with an error after the commit."""


class StandIn:
    """A running LabVantage with its SOAP service."""

    def __init__(self, server: sapphire.Sapphire) -> None:
        self._server = server
        self.origin = server.url.removesuffix("/services/SapphireBasicWS")
        self.section: dict[str, Any] = {
            "provider": "LabVantage",
            "contract": "lims_sapphire",
            "base_url": server.url,
            "auth_type": "wsse",
            "username": sapphire.USER,
            "password": sapphire.PASSWORD,
        }

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return what LabVantage holds."""
        with self._server.lock:
            samples = self._server.rows["Sample"]
            keys = {row["keyid1"]: f"{row['projectid']}/{row['externalreference']}" for row in samples}
            if kind == "sample":
                return [{"key": keys[row["keyid1"]], "status": row["status"], "id": row["keyid1"]} for row in samples]
            return [
                {
                    "key": row["externalreference"],
                    "sample": keys[row["sampleid"]],
                    "values": {item["paramid"]: item["enteredtext"] for item in row["dataitem"]},
                }
                for row in self._server.rows["DataSet"]
            ]

    def receive(self) -> None:
        """Receive all samples, as people do."""
        with self._server.lock:
            for row in self._server.rows["Sample"]:
                if row["status"] == sapphire.ORDER[0]:
                    row["status"] = sapphire.ORDER[1]


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[StandIn]:
    """Run LabVantage.

    Args:
        folder: nothing; what it holds is in memory.
        traps: which of :data:`TRAPS` are switched on.
        port: nothing; any free one is taken.
    """
    del folder, port
    with sapphire.serve() as server:
        if "error_after_commit" in traps:
            server.plan |= {"AddSample": ["internal"], "AddDataSet": ["internal"]}
        yield StandIn(server)
