"""The sandbox's own LIMS, QMS, project management and ERP, which the contracts of provider ``Custom`` describe."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import sandbox
from sandbox.products import Row

TRAPS = ()


class CustomStandIn:
    """One of the sandbox's systems.

    Args:
        lab: the sandbox.
        system: which of its systems.
    """

    def __init__(self, lab: sandbox.Lab, system: str) -> None:
        self._lab = lab
        self._system = system
        self.origin = lab.origins[system]
        self.section = {"provider": "Custom", "base_url": lab.url(system), **_login(lab, system)}

    def rows(self, kind: str) -> list[Row]:
        """Return all records of a kind."""
        return [_ROWS[kind](row) for row in self._lab.rows(self._system, _TABLES[kind])]

    def receive(self) -> None:
        """Receive all samples."""
        self._lab.receive()

    def know_customer(self, name: str) -> None:
        """Know a customer."""
        self._lab.know_customer(name)


def _login(lab: sandbox.Lab, system: str) -> dict[str, Any]:
    known = lab.credentials
    return {
        "lims": {"auth_type": "api_key", "api_key": known.lims_api_key, "api_key_header": "X-API-Key"},
        "qms": {"auth_type": "basic", "username": known.qms_username, "password": known.qms_password},
        "pm": {"auth_type": "bearer", "token": known.pm_token},
        "erp": {
            "auth_type": "oauth2",
            "client_id": known.erp_client_id,
            "client_secret": known.erp_client_secret,
        },
    }[system]


_TABLES = {
    "sample": "SELECT project_id || '/' || external_id AS key, status FROM samples",
    "result": "SELECT results.external_id AS key, project_id || '/' || samples.external_id AS sample, body FROM results"
    " JOIN samples ON samples.number = sample",
    "task": "SELECT external_id AS key, status, body FROM tasks",
    "time_entry": "SELECT external_id AS key, json_extract(body, '$.hours') AS hours FROM time_entries UNION ALL"
    " SELECT external_id, json_extract(body, '$.usage_hours') FROM resource_usage",
    "non_conformance": "SELECT external_id AS key, status FROM nc_reports",
    "capa": "SELECT external_id AS key, status FROM capas",
    "invoice": "SELECT external_id AS key, status, body FROM invoices",
}


def _result(row: Row) -> Row:
    body = json.loads(row["body"])
    return {**row, "values": {each["analyte"]: str(each["value"]) for each in body["results"]}}


def _task(row: Row) -> Row:
    parent = row["key"].rpartition("/")[0]
    return {**row, "parent": parent, "done": row["status"] == "COMPLETE"}


def _invoice(row: Row) -> Row:
    body = json.loads(row["body"])
    sums = {name: Decimal(str(body[source])) for name, source in _SUMS.items()}
    return {"key": row["key"], "posted": row["status"] == "POSTED", "lines": len(body["line_items"]), **sums}


_SUMS = {"net": "subtotal", "tax": "tax", "total": "total"}
_ROWS: dict[str, Callable[[Row], Row]] = {
    **dict.fromkeys(("sample", "time_entry", "non_conformance", "capa"), dict),
    "result": _result,
    "task": _task,
    "invoice": _invoice,
}


@contextmanager
def _serve(system: str, folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[CustomStandIn]:
    del traps, port  # it has no traps, and chooses its own port
    with sandbox.serve(folder) as lab:
        yield CustomStandIn(lab, system)


serve_lims = partial(_serve, "lims")
serve_qms = partial(_serve, "qms")
serve_pm = partial(_serve, "pm")
serve_erp = partial(_serve, "erp")
