"""A LIMS that is reached by REST, and one by SOAP; connections end without the answer to what was committed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sandbox
from pv_testing.core.places import contract_path
from tests.integration import soap_lims
from tests.integration.every_method.content import Content, ResultSet, Sample
from tests.integration.every_method.lims import TOGETHER, Lims, written_contract

FATES = {"CreateSample": ["ok", "drop", "ok", "half"], "SubmitResults": ["drop", "ok", "server fault", "drop before"]}
"""What becomes of the first calls by SOAP; all but ``drop before`` are carried out."""


@contextmanager
def by_rest(folder: Path, lab: sandbox.Lab) -> Iterator[Lims]:
    """Give the sandbox's LIMS, which takes several records in a request."""
    lost = {"kind": "drop_after", "rate": 0.5, "times": 2, "seed": 3}
    lab.faults("lims", *({**lost, "route": f"POST /api/v2/{kind}/bulk"} for kind in ("samples", "results")))

    def content() -> Content:
        samples = [
            Sample(row["project_id"], row["external_id"], row["customer"], row["metadata"]["model"])
            for row in lab.samples()
        ]
        return Content.of(samples, [ResultSet.of_words(row["serial"], row, row["results"]) for row in lab.results()])

    section = {
        "base_url": lab.lims_url,
        "auth_type": "api_key",
        "api_key": lab.credentials.lims_api_key,
        "contract": written_contract(folder, "lims_custom", _in_small_parts),
    }
    yield Lims(section, content, lambda: sum(rule["hits"] for rule in lab.fault_report("lims")))


def _in_small_parts(operations: dict[str, Any]) -> None:
    for name in ("create_sample", "upload_results"):
        operations[name]["bulk"]["size"] = TOGETHER


@contextmanager
def by_soap(folder: Path, _: sandbox.Lab) -> Iterator[Lims]:
    """Give the SOAP service of the tests, which takes one record in a request and keeps its rows in memory."""
    shutil.copy(contract_path("lims_soap").with_suffix(".wsdl"), folder)
    with soap_lims.serve() as server:
        server.plan.update({name: list(fates) for name, fates in FATES.items()})

        def content() -> Content:
            with server.lock:
                return _of_service(server)

        def lost() -> int:
            met = [fate for name, fates in FATES.items() for fate in fates[: len(fates) - len(server.plan[name])]]
            return sum(fate not in {"ok", "drop before"} for fate in met)

        section = {
            "base_url": server.url,
            "auth_type": "basic",
            "username": soap_lims.USER,
            "password": soap_lims.PASSWORD,
            "contract": written_contract(folder, "lims_soap"),
        }
        yield Lims(section, content, lost)


def _of_service(server: soap_lims.SoapLims) -> Content:
    serials = {row["id"]: row["external_id"] for row in server.samples}
    samples = [Sample(row["project_id"], row["external_id"], row["customer"], row["model"]) for row in server.samples]
    results = [ResultSet.of_words(serials[row["sample_id"]], row, row["values"]) for row in server.results]
    return Content.of(samples, results)
