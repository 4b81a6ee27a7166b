"""What LabVantage's actions and tables do: samples, tests, data sets and data items, whose statuses roll up.

Doubles are taken: nothing keeps a reference of ours unique. It shares no code with the product.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import Any

from sandbox import catalogue, physics

Row = dict[str, Any]
Names = AbstractSet[str]
INITIAL, RECEIVED, IN_PROGRESS, COMPLETED, REVIEWED = "Initial", "Received", "InProgress", "Completed", "Reviewed"
ENTERED, RELEASED = "DataEntered", "Released"
COLUMNS = {"serialnumber", "projectid", "sampletypeid", "customer", "manufacturer", "model", "externalreference"}
NEEDED = {"sampletypeid", "externalreference"}
OF_DATA_SET = {"externalreference", "sourceversion", "completeddt", "analyst"}
SDI = {"sdcid", "keyid1"}
ADDRESS = ("paramlistid", "paramlistversionid", "variantid", "dataset")
OPTIONAL = {"Fill_Factor", "Efficiency"}
QUERIES = {"FindByExternalRef": ("externalreference",), "PVSamples": ("projectid", "samplestatus", "serialnumber")}


class RefusedError(Exception):
    """A request is refused, with the status of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@cache
def _parameters(name: str) -> frozenset[str]:
    """Return the parameters of a parameter list: the measurements of its protocol."""
    return frozenset(each["name"] for each in physics.declared(catalogue.protocols()[name]))


class Laboratory:
    """The tables.

    Args:
        folder: where the database is.
    """

    def __init__(self, folder: Path) -> None:
        self.lock = threading.Lock()
        self._base = sqlite3.connect(folder / "labvantage.sqlite", check_same_thread=False, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS sdi (id INTEGER PRIMARY KEY, kind TEXT, sample TEXT, content TEXT NOT NULL)"
        )
        self.actions: Mapping[str, Callable[[Row], None]] = {
            "AddSDIWorkItem": self._add_work_item,
            "AddDataSet": self._add_data_set,
            "EditDataSet": self._edit_data_set,
            "EnterDataSet": self._enter_data_set,
            "EditDataItem": self._edit_data_item,
            "EditDataApproval": self._edit_approval,
            "ReleaseDataSet": self._release,
            "ReceiveSample": self._receive,
            "EditSDI": self._edit_sdi,
        }

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    def rows(self, kind: str, sample: str = "") -> list[Row]:
        """Return the rows of a kind: ``sample``, ``test`` or ``dataset``, maybe of one sample."""
        rows = self._base.execute(
            "SELECT id, content FROM sdi WHERE kind = ? AND ? IN ('', sample) ORDER BY id", (kind, sample)
        )
        return [{**json.loads(content), "_": number} for number, content in rows]

    def create(self, given: Row) -> Row:
        """Create a sample, and return it."""
        self._check_columns(given, COLUMNS)
        if not given.keys() >= NEEDED:
            raise RefusedError(400, f"missing {sorted(NEEDED - given.keys())}")
        number = f"S-{len(self.rows('sample')) + 1:06}"
        row = {**given, "s_sampleid": number, "samplestatus": INITIAL}
        self._insert("sample", number, row)
        return row

    def change(self, sample: str, given: Row) -> Row:
        """Change columns of a sample, and return it."""
        self._check_columns(given, COLUMNS - {"externalreference"})
        return self._write({**self.sample(sample), **given})

    def sample(self, number: str) -> Row:
        """Return a sample."""
        rows = self.rows("sample", number)
        if not rows:
            raise RefusedError(404, f"no sample {number}")
        return rows[0]

    def query(self, name: str, parameters: list[str]) -> list[Row]:
        """Return what a named query finds; a parameter that is empty is met by every row."""
        if name not in QUERIES or len(parameters) > len(QUERIES[name]):
            raise RefusedError(400, f"there is no query {name} with {len(parameters)} parameters")
        wanted = {column: value for column, value in zip(QUERIES[name], parameters, strict=False) if value}
        return [row for row in self.rows("sample") if wanted.items() <= row.items()]

    def _check_columns(self, given: Row, allowed: set[str]) -> None:
        closed = given.keys() - allowed
        if closed:
            raise RefusedError(403, f"the RESTPolicy doesn't open the columns {sorted(closed)}")

    def _insert(self, kind: str, sample: str, content: Row) -> None:
        values = (kind, sample, json.dumps(content))
        self._base.execute("INSERT INTO sdi (kind, sample, content) VALUES (?, ?, ?)", values)

    def _write(self, row: Row) -> Row:
        number = row["_"]
        content = {name: value for name, value in row.items() if name != "_"}
        self._base.execute("UPDATE sdi SET content = ? WHERE id = ?", (json.dumps(content), number))
        return row

    def _named(self, given: Row, needed: Names, may: Names = frozenset()) -> Row:
        """Check the properties of an action, and return its sample."""
        needed = SDI | needed
        if not all(isinstance(value, str) for value in given.values()):
            raise RefusedError(400, "properties are texts")
        missing, unknown = needed - given.keys(), given.keys() - needed - may
        if missing or unknown or given["sdcid"] != "Sample":
            raise RefusedError(400, f"properties missing {sorted(missing)}, unknown {sorted(unknown)}")
        return self.sample(given["keyid1"])

    def _data_set(self, given: Row, needed: Names = frozenset(), may: Names = frozenset()) -> Row:
        sample = self._named(given, set(ADDRESS) | needed, may)
        for row in self.rows("dataset", sample["s_sampleid"]):
            if all(row[name] == given[name] for name in ADDRESS):
                return row
        raise RefusedError(404, f"no data set {[given[name] for name in ADDRESS]}")

    def _add_work_item(self, given: Row) -> None:
        sample = self._named(given, {"workitemid", "workitemversionid", "propsmatch"}, {"applyworkitem"})
        methods, number = given["workitemid"].split(";"), sample["s_sampleid"]
        if not catalogue.protocols().keys() >= set(methods) or given["workitemversionid"].split(";") != ["1"] * len(
            methods
        ):
            raise RefusedError(400, f"there are no such versions of test methods: {methods}")
        if sample["samplestatus"] == REVIEWED:
            raise RefusedError(409, "the sample is reviewed")
        for method in methods:
            instance = 1 + sum(row["workitemid"] == method for row in self.rows("test", number))
            self._insert("test", number, {"workitemid": method, "workitemversionid": "1", "workiteminstance": instance})
            if given.get("applyworkitem") == "Y":
                self._new_data_set(number, method)

    def _add_data_set(self, given: Row) -> None:
        sample = self._named(given, {"paramlistid", "paramlistversionid", "variantid", "propsmatch"})
        if given["paramlistid"] not in catalogue.protocols():
            raise RefusedError(400, f"there is no parameter list {given['paramlistid']}")
        self._new_data_set(sample["s_sampleid"], given["paramlistid"])

    def _new_data_set(self, sample: str, name: str) -> None:
        number = 1 + sum(row["paramlistid"] == name for row in self.rows("dataset", sample))
        address = dict(zip(ADDRESS, (name, "1", "1", str(number)), strict=True))
        self._insert("dataset", sample, {**address, "s_datasetstatus": INITIAL, "items": {}})

    def _edit_data_set(self, given: Row) -> None:
        row = self._data_set(given, may=OF_DATA_SET)
        self._write({**row, **{name: given[name] for name in OF_DATA_SET & given.keys()}})

    def _enter_data_set(self, given: Row) -> None:
        count = int(given.get("params") or 0)
        names = ("paramid", "paramtype", "replicateid", "enteredtext")
        row = self._data_set(given, {"params", *(f"{name}{n}" for name in names for n in range(1, count + 1))})
        known = _parameters(row["paramlistid"])
        for number in range(1, count + 1):
            parameter, kind, replicate, text = (given[f"{name}{number}"] for name in names)
            if parameter not in known | OPTIONAL or (kind, replicate) != ("Standard", "1") or ";" in text:
                raise RefusedError(400, f"{row['paramlistid']} has no parameter {parameter} for {text!r}")
            row["items"][parameter] = {**row["items"].get(parameter, {}), "enteredtext": text}
        status = ENTERED if row["items"].keys() >= known else IN_PROGRESS
        self._write({**row, "s_datasetstatus": status})
        sample = self.sample(given["keyid1"])
        if sample["samplestatus"] in {INITIAL, RECEIVED}:
            self._write({**sample, "samplestatus": IN_PROGRESS})

    def _edit_data_item(self, given: Row) -> None:
        named = {"paramid", "paramtype", "replicateid", "propsmatch"}
        lists = {name: value.split(";") for name, value in given.items() if name not in {"sdcid", "propsmatch"}}
        if len({len(each) for each in lists.values()}) != 1:
            raise RefusedError(400, "lists of different lengths")
        row = self._data_set(
            {**given, **{name: lists[name][0] for name in ("keyid1", *ADDRESS)}}, named, {"uncertainty", "condition"}
        )
        for place, parameter in enumerate(lists["paramid"]):
            if parameter not in row["items"]:
                raise RefusedError(404, f"no data item {parameter}")
            row["items"][parameter] |= {name: lists[name][place] for name in ("uncertainty", "condition")}
        self._write(row)

    def _release(self, given: Row) -> None:
        row = self._data_set(given)
        self._move(row, "s_datasetstatus", ENTERED, RELEASED)

    def _edit_approval(self, given: Row) -> None:
        row = self._data_set(given, {"approvalstep", "approvalflag"})
        if (given["approvalstep"], given["approvalflag"]) != ("Approval", "P"):
            raise RefusedError(400, f"there is no approval step {given['approvalstep']}")
        if row["s_datasetstatus"] != COMPLETED:
            self._move(row, "s_datasetstatus", RELEASED, COMPLETED)
        rows = self.rows("dataset", given["keyid1"])
        if all(each["s_datasetstatus"] == COMPLETED for each in rows):
            self._write({**self.sample(given["keyid1"]), "samplestatus": COMPLETED})

    def _receive(self, given: Row) -> None:
        self._move(self._named(given, set()), "samplestatus", INITIAL, RECEIVED)

    def _edit_sdi(self, given: Row) -> None:
        if "samplestatus" in given:
            raise RefusedError(403, "the status of a sample isn't written")
        row = self._named(given, {"disposition"})
        self._move({**row, "disposition": given["disposition"]}, "samplestatus", COMPLETED, REVIEWED)

    def _move(self, row: Row, column: str, before: str, after: str) -> None:
        if row[column] != before:
            raise RefusedError(409, f"{row[column]} can't become {after}")
        self._write({**row, column: after})
