"""``python -m pv_testing new-contract``: a contract to fill in, its test, and a recorded exchange to correct."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pv_testing.contracts import Contract, load_contract
from pv_testing.contracts.model import OperationSpec
from pv_testing.contracts.pages import Pagination
from pv_testing.contracts.paths import putter
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_path
from pv_testing.core.records import Record
from pv_testing.core.yaml_file import read_yaml
from pv_testing.testing.example import Setting
from pv_testing.testing.examples import EXAMPLES
from pv_testing.testing.replaying import recorded

MARK = "SR-00000001"
ID = "1"
_NAME = re.compile(r"\$([a-z_]+)")
HEAD = """\
# yaml-language-server: $schema=../schemas/contract.schema.json
#
# {provider}, spoken to as its API reference says. It begins as a copy of {model}: go through every section with the
# reference at hand, and correct the recorded exchange beside the test in the same way.
"""
TEST = '''\
"""The contract {name}: the requests that it sends, the answers that it reads, and its trial on a test system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pv_testing.config import SystemConfig, system_config
from pv_testing.testing import replayed
from pv_testing.testing.for_pytest import ContractTests

CONTRACT = "{contract}"
EXCHANGE = Path(__file__).with_name("{exchange}")


def test_the_recorded_exchange_is_what_the_contract_says() -> None:
    assert replayed(CONTRACT, EXCHANGE) == []


@pytest.mark.skipif("{variable}_URL" not in os.environ, reason="{variable}_URL names no test system")
class Test{title}(ContractTests):
    """Everything that the contract says, tried on a test system."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls) -> SystemConfig:
        return system_config(
            "{system}",
            os.environ["{variable}_URL"],
            contract=CONTRACT,
            auth_type="api_key",
            api_key=os.environ["{variable}_API_KEY"],
        )
'''


def new_contract(system: str, provider: str, contracts: Path, tests: Path) -> list[Path]:
    """Write a contract, its test and a recorded exchange, and return the three files.

    Args:
        system: ``lims``, ``qms``, ``pm`` or ``erp``.
        provider: the product, such as ``SunLab``.
        contracts: the folder of the contract; the project's own is ``include/mappings``.
        tests: the folder of the test and the exchange.

    Raises:
        ConfigError: the product's name can't be a file's, or one of the files is there.
    """
    word = re.sub(r"\W+", "_", provider.strip()).strip("_").lower()
    if not word or not word[0].isalpha():
        raise ConfigError(f"{provider!r} is no name of a product that a file can have; begin it with a letter")
    name = f"{system}_{word}"
    files = [contracts / f"{name}.yaml", tests / f"test_{name}.py", tests / f"{name}.exchange.json"]
    there = [str(file) for file in files if file.exists()]
    if there:
        raise ConfigError(f"{', '.join(there)}: is there already and isn't overwritten; choose another name")
    for folder in (contracts, tests):
        folder.mkdir(parents=True, exist_ok=True)
    contract, test, exchange = files
    contract.write_text(_contract(system, provider), encoding="utf-8")
    test.write_text(_test(system, provider, name, contract, exchange), encoding="utf-8")
    scenes = recorded(contract.resolve(), list(_scenes(load_contract(contract.resolve()))))
    exchange.write_text(json.dumps(scenes, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    return files


def _contract(system: str, provider: str) -> str:
    """Return the shipped contract of the system under another name."""
    model = f"{system}_custom"
    text = contract_path(model).read_text(encoding="utf-8")
    body = text[text.index("\ncontract:") + 1 :]
    for key, line in (
        ("provider", f"provider: {json.dumps(provider)}"),
        ("title", f"title: {json.dumps(f'{provider} as {system.upper()}')}"),
        ("source", "source: the API reference with its version, and the test system that confirms it"),
        ("proof", '# proof: {by: [real_system], version: "1.0", date: "2026-11-29"}   # once `check --try` is green'),
    ):
        match = re.search(rf"^{key}:.*(?:\n  .*)*$", body, re.MULTILINE)
        assert match is not None
        body = f"{body[: match.start()]}{line}{body[match.end() :]}"
    body = re.sub(
        r"^(  horizon: \S+).*$", r"\1           # a guess: measure it with `check --try`", body, flags=re.MULTILINE
    )
    return HEAD.format(provider=provider, model=model) + body


def _test(system: str, provider: str, name: str, contract: Path, exchange: Path) -> str:
    shipped = contract_path(name).resolve() == contract.resolve()
    return TEST.format(
        name=name,
        contract=name if shipped else contract.resolve(),
        exchange=exchange.name,
        variable=re.sub(r"\W+", "_", provider).upper(),
        title=re.sub(r"\W+", "", provider.title()),
        system=system,
    )


def _scenes(contract: Contract) -> Iterator[dict[str, Any]]:
    """Give a scene for each operation that creates records, with the answers that the contract expects."""
    setting = Setting(MARK, contract, ids={kind: [ID] for kind in EXAMPLES})
    written = read_yaml(Path(contract.file)).value["operations"]
    for kind, example in EXAMPLES.items():
        for spec in contract.operations.values():
            if spec.kind == kind and example.states is None:
                yield _scene(contract, spec, written[spec.name], example.record(setting, kind, 0))


def _scene(contract: Contract, spec: OperationSpec, written: Any, record: Record) -> dict[str, Any]:
    row = spec.call.body(spec.prepare(record.data), {"key": record.key, "revision": 1})
    answer = _with_id(row, _path(contract, written.get("reply", {}).get("id", "id")))
    scene = {"operation": spec.name, "key": record.key, "record": record.data, "id": ID}
    scene["answer"] = {"status": min(spec.success, default=200), "body": answer}
    if spec.find is not None:
        listed = _with_id(row, _path(contract, written["find"].get("id", "id")))
        scene["look_up"] = {"answer": {"status": 200, "body": _list_of(listed, spec.find.pagination)}}
    return scene


def _path(contract: Contract, paths: str | list[str]) -> str:
    """Return the first path of several, with the contract's names filled in."""
    path = paths if isinstance(paths, str) else paths[0]
    return _NAME.sub(lambda match: contract.names.get(match[1], match[0]), path)


def _with_id(row: Mapping[str, Any], path: str) -> dict[str, Any]:
    answer = dict(row)
    putter(path)(answer, ID)
    return answer


def _list_of(row: dict[str, Any], pages: Pagination) -> Any:
    """Return an answer that lists one record, on the only page."""
    if not pages.items:
        return row
    body: dict[str, Any] = {}
    putter(pages.items)(body, [row])
    for path in filter(None, (pages.total, pages.pages)):
        putter(path)(body, 1)
    return body
