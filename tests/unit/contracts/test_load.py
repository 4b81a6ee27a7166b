"""A contract is validated with file, line, key and what is allowed, compiled once, and renamed by a deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pv_testing.contracts import load_contract
from pv_testing.contracts.model import Limits
from pv_testing.contracts.pages import Pagination
from pv_testing.contracts.units import is_known
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import MAPPINGS, SCHEMAS, contract_names, project_root
from pv_testing.core.schema import validator
from tests import yaml_text

MINIMAL: dict[str, Any] = {
    "contract": 1,
    "system": "lims",
    "provider": "Custom",
    "title": "A small one",
    "operations": {"get_samples": {"path": "/samples", "list": "data"}},
}
CONTRACTS = sorted((project_root() / MAPPINGS).glob("*.yaml"))


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml_text.dump({**MINIMAL, **changes}, sort_keys=False), encoding="utf-8")
    return path


def refusal(folder: Path, **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_contract(written(folder, **changes))
    return str(caught.value)


def test_a_small_contract_has_sensible_defaults(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path))
    assert (contract.name, contract.system, contract.provider) == ("small", "lims", "Custom")
    assert contract.limits.attempt_timeout == 30
    assert contract.identity is None
    assert contract.operation("get_samples").call.request().path == "/samples"


def test_an_unknown_key_names_line_and_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "typo.yaml"
    path.write_text(
        "contract: 1\nsystem: lims\nprovider: P\ntitle: T\noperations:\n  create:\n    path: /a\n    metod: POST\n"
        "    bulk: {path: /b, size: 1, items: a}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_contract(path)
    text = str(caught.value)
    assert f"{path}:8: operations.create.metod: unknown key; did you mean 'method'? allowed: answer, body_as" in text
    assert f"{path}:9: operations.create.bulk.size: 1 is out of range" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"system": "limz"}, "\"limz\" is unknown; did you mean 'lims'? allowed: erp, framework, lims, pm, qms"),
        ({"contract": 2}, "2 is unknown; allowed: 1"),
        ({"operations": {}}, "operations"),
        ({"operations": {"a": {"path": "samples"}}}, '"samples" must be an address that begins with /'),
        ({"operations": {"a": {"path": "/x?y=1"}}}, "without query"),
        ({"operations": {"a": {"path": 5}}}, "operations.a.path: must be text, not 5"),
        ({"operations": {"a": {}}}, "operations.a: misses path"),
        ({"operations": {"Create": {"path": "/"}}}, "operations.Create: can't be a name here; names are small letters"),
        (
            {"operations": {"a": {"path": "/", "map": "smple"}}, "maps": {"sample": {"a": "b"}}},
            "did you mean 'sample'?",
        ),
        ({"operations": {"a": {"path": "/", "kind": "sample"}}}, "add find or `person: true`"),
        ({"operations": {"a": {"path": "/", "kind": "sample", "person": True}}}, "set on_change to update, amend or"),
        ({"maps": {"m": {"a": {"vocabulary": "verdct"}}}, "vocabularies": {"verdict": {"A": "B"}}}, "'verdict'?"),
        ({"maps": {"m": {"a": {"each": "inner"}}}}, "maps.m.a.each: there is nothing called 'inner' in maps"),
        ({"maps": {"m": {"a": {"each": "inner"}}, "inner": {"b": {"each": "m"}}}}, "contains itself"),
        ({"maps": {"m": {"a": {"unit": {"of": "p", "in": "t"}, "unit_from": "u"}}}}, "nothing called 't' in units"),
        ({"maps": {"m": {"a": {"unit": {"of": "p", "in": "t"}}}}, "units": {"t": {}}}, "misses unit_from"),
        ({"maps": {"m": {"a": "x", "b": "x"}}}, "maps.m.b: goes to 'x', where a goes already"),
        ({"maps": {"m": {"a": "x", "b": "x.y"}}}, "maps.m.b: goes to 'x.y', where a goes already"),
        ({"maps": {"m": {"a": 5}}}, "maps.m.a: must be text or a mapping, not 5"),
        ({"maps": {"m": {"a": {"typ": "string"}}}}, "maps.m.a.typ: unknown key; did you mean 'type'?"),
        ({"maps": {"m": {"a": {"type": "float"}}}}, "allowed: boolean, date, datetime"),
        ({"vocabularies": {"v": {"A": 1}}}, "must be text, not 1"),
        ({"errors": {"rules": [{"verdict": "fatal"}]}}, "errors.rules[0].verdict"),
        ({"errors": {"rules": [{"verdict": "ok", "equals": 1}]}}, "errors.rules[0]"),
        ({"errors": {"rules": [{"verdict": "ok", "status": "60x"}]}}, "errors.rules[0].status"),
        ({"errors": {"rules": [{"verdict": "ok", "operations": ["b"]}]}}, "there is no operation 'b'"),
        ({"limits": {"attempt_timeout": 200}}, "limits.attempt_timeout: is longer than total_timeout, 120 s"),
        (
            {"operations": {"a": {"path": "/a", "bulk": {"path": "/{id}", "size": 2, "items": "r"}}}},
            "operations.a.bulk.path: can't have a placeholder",
        ),
        (
            {"operations": {"a": {"path": "/a", "kind": "sample", "bulk": {"path": "/b", "size": 2, "items": "r"}}}},
            "operations.a.bulk: doesn't say which record an answer is about; add key, or `ordered: true`",
        ),
        ({"limits": {"concurrency": 0}}, "limits.concurrency: 0 is out of range"),
        (
            {"operations": {"a": {"path": "/a", "map": "m"}}, "maps": {"m": {"x": {"from": "^.y"}}}},
            "operations.a.map: ^ stands for the record around one of a list",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_key(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    text = refusal(tmp_path, **changes)
    assert expected in text
    assert "small.yaml:" in text


def test_a_contract_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"lims_custm\.yaml: can't be read: .*; did you mean 'lims_custom'\?"):
        load_contract("lims_custm")


def test_an_operation_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no operation 'get_sampels'; did you mean 'get_samples'"):
        load_contract(written(tmp_path)).operation("get_sampels")


def test_a_contract_is_compiled_once_and_again_when_its_content_changes(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = path.stat()
    first = load_contract(path)
    assert load_contract(path) is first
    path.write_text(path.read_text().replace("A small one", "A SMALL one"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load_contract(path).title == "A SMALL one"


def test_a_deployment_calls_fields_otherwise(tmp_path: Path) -> None:
    operation = {
        "path": "/samples",
        "method": "POST",
        "reply": {"id": "data.$sample_id_field"},
        "find": {
            "path": "/samples/{serial}",
            "key": "{serial}",
            "id": "$sample_id_field",
            "in_effect": {"$status_field": "$status_field"},
        },
        "kind": "sample",
        "on_change": "ignore",
        "query": {"status": {"to": "filter[$status_field]"}},
    }
    names = {"sample_id_field": "id", "status_field": "status"}
    path = written(tmp_path, names=names, operations={"create": operation})
    usual, renamed = (
        load_contract(path),
        load_contract(path, {"sample_id_field": "LabSampleID", "status_field": "TestStatus"}),
    )
    assert usual.operation("create").reply_id({"data": {"id": "1"}}) == "1"
    spec = renamed.operation("create")
    assert spec.reply_id({"data": {"LabSampleID": "2"}}) == "2"
    assert spec.call.request({"status": "Open"}).params == {"filter[TestStatus]": "Open"}
    assert spec.find is not None
    assert spec.find.same({"TestStatus": "Open"}, {"TestStatus": "Open"})
    assert not spec.find.same({"status": "Open"}, {"TestStatus": "Open"})
    with pytest.raises(ConfigError, match="has no 'staus_field'; did you mean 'status_field'"):
        load_contract(path, {"staus_field": "x"})


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_every_shipped_file_names_a_schema_that_editors_find_and_meets_it(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = json.loads((path.parent / first.partition("=")[2]).resolve().read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(yaml_text.read(path))


@pytest.mark.parametrize("name", [name for name in contract_names() if name != "field_mappings"])
def test_every_shipped_contract_compiles_and_says_who_is_asking(name: str) -> None:
    contract = load_contract(name)
    by_files = {spec.name for spec in contract.operations.values() if spec.files or spec.list_file}
    # These products have no documented request that says it: a read that strangers are refused tells instead.
    known_by_a_read = name in {"erp_netsuite", "erp_s4hana", "qms_salesforce", "qms_sap_qm"}
    needs_none = contract.database is not None or by_files == set(contract.operations) or known_by_a_read
    assert contract.identity is not None or needs_none, "neither a database nor a folder is asked who we are"
    assert all(is_known(unit) for table in contract.units.values() for unit in table.values())
    written = [spec for spec in contract.operations.values() if spec.kind]
    assert all(spec.find or spec.files for spec in written), "a lost answer would wait for a person"


@pytest.mark.parametrize("path", sorted((project_root() / SCHEMAS).glob("*.json")), ids=lambda path: path.stem)
def test_every_schema_is_one(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_importing_contracts_and_configuration_loads_nothing_heavy() -> None:
    code = (
        "import sys, pv_testing.contracts, pv_testing.config; heavy = {'yaml', 'jsonschema', 'pint', 'aiohttp',"
        " 'orjson', 'pandas', 'sqlalchemy', 'airflow'} & set(sys.modules); sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project_root() / "plugins", check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("block", "kept"), [("limits", Limits), ("pagination", Pagination)])
def test_a_block_that_is_kept_as_it_is_written_has_the_keys_of_its_schema(block: str, kept: type) -> None:
    schema = validator("contract").schema
    keys = set((schema["$defs"] if block == "pagination" else schema["properties"])[block]["properties"])
    assert keys == {each.name for each in fields(kept)} - {"most", "most_bytes"}  # these two are no key
