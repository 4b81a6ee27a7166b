"""The programs around the laboratory: the framework tells of a service request, a receiver hears of what was done.

Nothing here is more than a configuration of the product: two connections, ``webhooks.yaml``, a folder for workbooks.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import requests
import yaml

from demo.airflow import PROJECT, plain_environment
from demo.processes import Components, DemoError
from demo.receiver import SECRET
from pv_testing.ledger import Ledger
from pv_testing.ledger.inbox import STARTED
from sandbox import Lab
from sandbox.closing import Tally

START_SECONDS = 30.0
TIMEOUT = 30.0
CREATED = "service_request.created"
DAGS = 2
"""How many DAGs this event starts: ``webhook`` in ``include/mappings/framework.yaml`` names them."""
COUNTED = {
    "sample.created": "samples",
    "protocol.completed": "result sets",
    "non_conformance.raised": "non-conformances",
    "capa.raised": "CAPAs",
    "invoice.posted": "invoices",
}
"""The events that the receiver wants, each with the records of the closing table that it is about."""


@dataclass(frozen=True)
class Outside:
    """The framework as a sender of events, a receiver of events, and a folder for workbooks.

    Attributes:
        lab: the sandbox, whose framework sends.
        folder: of all files.
        url: the receiver's address.
        secret: of the receiver.
        framework_secret: of the framework.
    """

    lab: Lab
    folder: Path
    url: str
    secret: str
    framework_secret: str

    @property
    def exports(self) -> Path:
        """The folder of the workbooks."""
        return self.folder / "exports"

    @property
    def notes(self) -> Path:
        """The file in which the receiver notes what it has received."""
        return self.folder / "received.ndjson"

    def environment(self, sections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return what Airflow's components are told besides: a configuration with webhooks, and the DAG of the demo.

        Args:
            sections: of the configuration, which replace the shipped ones of those systems.
        """
        settings = self.folder / "config"
        shutil.copytree(PROJECT / "config", settings)
        if sections:
            path = settings / "integrations.yaml"
            document = {**yaml.safe_load(path.read_text(encoding="utf-8")), **sections}
            path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        for name, content in (("webhooks", WEBHOOKS), ("field_mappings", MAPPINGS)):
            (settings / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        bundles = [_bundle("dags-folder", PROJECT / "dags"), _bundle("demo", PROJECT / "demo" / "dags")]
        return {
            "PV_CONFIG": str(settings / "integrations.yaml"),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        }

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return the Airflow connections of the receiver, and of the framework as a sender."""
        return {
            "pv_webhook_receiver": {
                "conn_type": "pv_webhook",
                "host": self.url,
                "password": self.secret,
                "extra": {"events": " ".join(COUNTED)},
            },
            "pv_webhook_framework": {"conn_type": "pv_webhook", "password": self.framework_secret},
        }

    def introduce(self, airflow: str) -> None:
        """Register Airflow's receiver with the framework, as the framework's documentation says.

        Args:
            airflow: the address of Airflow.
        """
        url, known = self.lab.framework_url, self.lab.credentials
        user = {"username": known.framework_username, "password": known.framework_password}
        hook = {"url": f"{airflow}/pv/webhooks/framework", "events": [CREATED], "secret": self.framework_secret}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"{url}/auth/login", json=user, timeout=TIMEOUT)
            answer.raise_for_status()
            session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            session.post(f"{url}/webhooks", json=hook, timeout=TIMEOUT).raise_for_status()

    def announce(self) -> int:
        """Let the framework tell of each service request, twice as after a lost answer, and return how many there are.

        Raises:
            DemoError: an event isn't accepted.
        """
        told = self.lab.service_requests()
        for request in told:
            data = {"sr_id": request["id"], "sr_number": request["sr_number"], "status": request["status"]}
            statuses = self.lab.tell(CREATED, data, times=2)
            if statuses != [202, 202]:
                raise DemoError(f"Airflow's receiver answers an event of the framework with {statuses}.")
        return len(told)

    def received(self) -> list[dict[str, str]]:
        """Return what the receiver has noted, one entry for each request."""
        lines = self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []
        return [json.loads(line) for line in lines]

    def tallies(self, counted: list[Tally], ledger: str) -> list[Tally]:
        """Return the lines of the closing table about events and workbooks.

        Args:
            counted: the lines about the systems.
            ledger: the address of the ledger, which has the events that came in.
        """
        return [_incoming(ledger, self.lab), self._outgoing(counted), self._workbooks()]

    def _outgoing(self, counted: list[Tally]) -> Tally:
        genuine = [note for note in self.received() if not note["problem"]]
        kinds = len({note["event"] for note in genuine})
        there = {tally.records: tally.there for tally in counted}
        wanted = sum(there[records] for records in COUNTED.values())
        twice = len(genuine) - len({note["id"] for note in genuine})
        return Tally("receiver", "verified events", len(genuine), twice, wanted, f"{kinds} kinds, both signatures")

    def _workbooks(self) -> Tally:
        from openpyxl import load_workbook

        paths = sorted(self.exports.glob("*.xlsx"))
        rows = sum(load_workbook(path)["Measurements"].max_row - 1 for path in paths)
        charts = sum(name.startswith("xl/charts/chart") for path in paths for name in ZipFile(path).namelist())
        wanted = len(self.lab.service_requests())
        return Tally("files", "workbooks", len(paths), 0, wanted, f"{rows:,} measurements, {charts} charts")


WEBHOOKS: Mapping[str, Any] = {
    "send": {"allow": ["127.0.0.0/8"], "allow_http": True, "connections": ["pv_webhook_receiver"]},
    "receive": {"systems": {"framework": {"secrets": ["connection:pv_webhook_framework"]}}},
}

MAPPINGS: Mapping[str, Any] = {"lims_mapping": {"measurements": {"Pmax": "MaxPower_W"}}}
"""Of the integration guide's field mappings, the one that its lineage is followed for."""


def start(folder: Path, lab: Lab, components: Components) -> Outside:
    """Start the receiver as a process of its own.

    Args:
        folder: of all files.
        lab: the sandbox.
        components: stop it again.
    """
    folder.mkdir(parents=True)
    secret = _new_secret()
    command = [sys.executable, "-m", "demo.receiver", "--notes", str(folder / "received.ndjson")]
    process = components.start("receiver", command, {**plain_environment(), SECRET: secret}, PROJECT)

    def announced() -> str | None:
        line, end, _ = process.log.read_text().partition("\n")
        return str(json.loads(line)["url"]) if end else None

    url = components.wait_for("Starting the receiver", announced, seconds=START_SECONDS)
    return Outside(lab, folder, url, secret, _new_secret())


def _incoming(ledger: str, lab: Lab) -> Tally:
    """Count the DAGs that the framework's events have started; each event came twice."""
    with Ledger(ledger) as opened:
        number = opened.inbox.counts().get(("framework", STARTED), 0)
    return Tally("airflow", "DAGs started by events", number, 0, DAGS * len(lab.service_requests()))


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _bundle(name: str, folder: Path) -> dict[str, Any]:
    path = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": path, "kwargs": {"path": str(folder)}}
