"""Certificates: where the LIMS's are filed in the cluster, and how many must be there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pv_testing.domain.status import rank
from pv_testing.samples.certificates import FOLDER
from sandbox.closing import Tally
from sandbox.judge import Judge

CERTIFICATES = "pv_certificates"
APPROVED = "REPORTS_APPROVED"
PDF = b"%PDF-"


def keep_files(connections: Path, files: Path) -> None:
    """Give the LIMS's connection a store of files, which the workers share.

    Args:
        connections: the file of the connections.
        files: the folder of the store; it is made.
    """
    files.mkdir(parents=True)
    known = json.loads(connections.read_text(encoding="utf-8"))
    known["pv_lims"]["extra"]["options"] = {"file_store": str(files)}
    connections.write_text(json.dumps(known), encoding="utf-8")


def tallies(judge: Judge, files: Path) -> list[Tally]:
    """Count the certificates that the LIMS made and those that are filed, beside the samples of approved requests.

    Args:
        judge: the eyes on the systems' databases.
        files: the store of files.
    """
    made = [row["sample"] for row in judge.lims_rows("SELECT sample FROM certificates")]
    there = [path.name.rpartition("_")[0] for path in _documents(files)]
    wanted = sum(
        len(set(request["module"].get("serial_numbers") or ()))
        for request in judge.service_requests()
        if rank(request["status"]) >= rank(APPROVED)
    )
    return [
        Tally("lims", "certificates", len(made), len(made) - len(set(made)), wanted),
        Tally("files", "certificates", len(there), len(there) - len(set(there)), wanted),
    ]


def _documents(files: Path) -> Iterator[Path]:
    """Give the whole files; the name of each is its sample's key and the certificate's id."""
    for path in sorted((files / FOLDER).glob("*")):
        if path.read_bytes().startswith(PDF):
            yield path
