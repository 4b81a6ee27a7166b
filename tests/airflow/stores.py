"""What tests of stores of files share: what each store must do, and a LIMS whose files lie in one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hooks.object_storage import open_path
from pv_testing.core.errors import SecurityError
from pv_testing.core.places import contract_path
from pv_testing.ledger import Ledger
from pv_testing.transports.files.store import FileStore
from tests import yaml_text
from tests.integration.file_drop import lims, samples, short_contract

IMPORT = {"folder": "in", "pattern": "*.csv", "format": "csv", "map": "row", "key": "{serial_number}", "quiet": 0}


def does_what_a_folder_does(store: FileStore) -> None:
    """Hold a store to what a folder does; afterwards its only file is ``out/deep/b.csv``, with ``1`` in it."""
    assert store.names("in") == []
    assert not store.exists("in", "a.csv")
    store.write("in", "a.csv", b"1")
    (entry,) = store.names("in")
    assert (entry.name, entry.size) == ("a.csv", 1)
    assert abs(entry.changed - time.time()) < 60
    store.move("in", "a.csv", "out/deep", "b.csv")
    assert store.names("in") == []
    assert not store.exists("in", "a.csv")
    assert store.exists("out/deep", "b.csv")
    assert store.read("out/deep", "b.csv", 10) == b"1"
    store.write("out/deep", "b.csv", b"22")
    assert store.read("out/deep", "b.csv", 10) == b"22"
    assert [each.size for each in store.names("out/deep")] == [2]
    for missing in (lambda: store.move("in", "a.csv", "out", "c.csv"), lambda: store.read("in", "a.csv", 10)):
        with pytest.raises(FileNotFoundError):
            missing()
    with pytest.raises(SecurityError):
        store.read("out/deep", "b.csv", 0)
    store.delete("out/deep", "b.csv")
    store.delete("out/deep", "b.csv")
    assert store.names("out/deep") == []
    store.write("out/deep", "b.csv", b"1")


def carried_twice(folder: Path, address: str, look: Callable[[], object]) -> list[Mapping[str, int]]:
    """Drop ten samples into a store twice, and return the outcomes of both times.

    Args:
        folder: of the contract and the ledger.
        address: of the store.
        look: has the LIMS look into its folder; called again and again meanwhile.
    """
    contract, ended, counts = short_contract(folder, wait=30), threading.Event(), []

    def work() -> None:
        while not ended.wait(0.05):
            look()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with (
            Ledger(f"sqlite:///{folder / 'l.sqlite'}") as ledger,
            lims(contract, address, ledger, open_path=open_path) as client,
        ):
            counts += [client.exchange("create_sample", samples(10)).counts() for _ in range(2)]
    finally:
        ended.set()
        thread.join()
    return counts


def with_imports(known: Mapping[str, Any], folder: Path, store: str) -> dict[str, Any]:
    """Return connections whose LIMS drops rows of results into a store of files.

    Args:
        known: connections of a laboratory.
        folder: where the contract is written.
        store: the address of the store.
    """
    written = yaml_text.read(contract_path("lims_custom"))
    written["maps"]["row"] = {"serial_number": "SN", "value": {"to": "V", "type": "decimal"}}
    written["imports"] = {"results": IMPORT}
    contract = folder / "lims_site.yaml"
    contract.write_text(yaml_text.dump(written, sort_keys=False))
    return _with_extra(known, contract=str(contract), options={"file_store": store})


def _with_extra(known: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
    connection = json.loads(known["pv_lims"]) if isinstance(known["pv_lims"], str) else dict(known["pv_lims"])
    inner = connection.get("extra") or {}
    connection["extra"] = {**(json.loads(inner) if isinstance(inner, str) else inner), **extra}
    return {**known, "pv_lims": json.dumps(connection) if isinstance(known["pv_lims"], str) else connection}
