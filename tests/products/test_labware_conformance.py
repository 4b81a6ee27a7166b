"""LabWare's four sample profiles are held against the LIMS that offers all four ways over one database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import SystemConfig, load_config, system_config
from pv_testing.core.places import contract_path
from sandbox.products.labware import files, rest, soap, sql
from tests import yaml_text
from tests.conformance.test_contracts_here import Ours
from tests.integration import databases

WAYS: dict[str, Any] = {"files": files, "rest": rest, "soap": soap, "sql": sql}


def configured(section: dict[str, Any], folder: Path) -> SystemConfig:
    """Return the system as a configuration file says it."""
    path = folder / "integrations.yaml"
    path.write_text(yaml_text.dump({"lims": section}), encoding="utf-8")
    return load_config(str(path)).systems["lims"].ready()


def brisk(contract: str, folder: Path, wait: float = 5, name: str = "") -> Path:
    """Write a contract whose answers, lists and absences are believed soon, and return it.

    Args:
        contract: its name.
        folder: where it is written.
        wait: seconds for an answer.
        name: of the list of samples; the contract's own without it.
    """
    written = yaml_text.read(contract_path(contract))
    written["limits"]["horizon"] = 0.2
    if "soap" in written:
        written["soap"]["wsdl"] = str(contract_path(contract).parent / written["soap"]["wsdl"])
    for operation in written["operations"].values():
        if "files" in operation:
            operation["files"]["wait"] = wait
            operation["files"]["answers"]["quiet"] = 0.05
        if "list_file" in operation:
            operation["list_file"]["quiet"] = 0.05
            operation["list_file"]["name"] = name or operation["list_file"]["name"]
    path = folder / f"{contract}_{name or wait}.yaml"
    path.write_text(yaml_text.dump(written, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


class TestLabWare(Ours):
    @pytest.fixture(scope="class", params=WAYS)
    @classmethod
    def system(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        folder = tmp_path_factory.mktemp("labware")
        way = WAYS[request.param]
        with way.serve(folder, files.TRAPS if way is files else ()) as lims:
            own = {"contract": str(brisk("lims_labware", folder))} if way is files else {}
            yield configured({**lims.section, **own}, folder)


class TestLabWareByPostgreSQL(Ours):
    pytestmark = pytest.mark.postgres

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        with databases.place("postgresql", tmp_path_factory.mktemp("database")) as place:
            yield system_config("lims", place.base_url, contract="lims_labware_sql", **place.login)
