"""Starts an Airflow with its laboratory by the launcher of the demo, for tests that need a scheduler."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from demo import airflow, laboratory
from demo.processes import Components, free_port
from demo.story import Story
from sandbox import SeedPlan
from tests import yaml_text
from tests.airflow.home import FRUGAL, PROJECT
from tests.unit.webhooks.receiving import SECRET

USERS = {
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ada:admin,vera:admin",
}
WEBHOOKS = {
    "send": {"allow": ["127.0.0.0/8"], "allow_http": True},
    "receive": {"systems": {"framework": {"secrets": ["env:FRAMEWORK_WEBHOOK_SECRET"]}}},
}


@dataclass
class Running:
    """A running Airflow with its laboratory.

    Attributes:
        story: speaks to both.
        home: of Airflow.
        config: the folder of its configuration.
    """

    story: Story
    home: Path
    config: Path

    @property
    def ledger(self) -> str:
        return f"sqlite:///{self.home / 'pv_ledger.sqlite'}"

    def log_in(self, user: str) -> None:
        """Go on as this user."""
        api = self.story.api
        passwords = json.loads((self.home / "simple_auth_manager_passwords.json.generated").read_text())
        known = {"username": user, "password": passwords[user]}
        answer = requests.post(f"{api.url}/auth/token", json=known, timeout=30)
        api._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def seed(self, **plan: object) -> str:
        """Bring one more service request into the framework and return its number."""
        lab = self.story.lab
        known = {request["sr_number"] for request in lab.service_requests()}
        lab.seed(SeedPlan(requests=1, **plan))
        (number,) = {request["sr_number"] for request in lab.service_requests()} - known
        return str(number)


@contextmanager
def launched(folder: Path) -> Iterator[Running]:
    """Give a running Airflow and a laboratory without service requests, in a folder of their own."""
    shutil.copytree(PROJECT / "dags", folder / "dags")
    shutil.copytree(PROJECT / "tests" / "airflow" / "dags", folder / "dags", dirs_exist_ok=True)
    shutil.copytree(PROJECT / "config", folder / "config")
    (folder / "config" / "webhooks.yaml").write_text(yaml_text.dump(WEBHOOKS))
    with Components(folder / "logs") as components:
        lab = laboratory.start(folder / "sandbox", components)
        extra = {
            **FRUGAL,
            **USERS,
            "PV_SYNC_INTERVAL": "0",
            "PV_CONFIG": str(folder / "config" / "integrations.yaml"),
            "FRAMEWORK_WEBHOOK_SECRET": SECRET,
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        }
        setting = airflow.AirflowSetting(folder / "airflow", free_port(18080), laboratory.connections(lab), extra)
        api = airflow.start(setting, components)
        running = Running(Story(lab, api, components), setting.home, folder / "config")
        running.log_in("ada")
        running.story.wait_for_dags()
        yield running
