"""``show``: prints how one record is mapped, beside the requests that it becomes; sends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pv_testing.config.model import SystemConfig
from pv_testing.contracts.drops import dropped
from pv_testing.contracts.fields import normal
from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.contracts.paths import first, getter
from pv_testing.contracts.request_template import Request
from pv_testing.core.errors import ConfigError
from pv_testing.core.yaml_file import read_yaml
from pv_testing.providers.registry import provider_of
from pv_testing.providers.rest import RestProvider
from pv_testing.testing.example import Data, Setting
from pv_testing.testing.examples import EXAMPLES

WIDTH = 60
MARK = "SHOW-00000001"
CONTEXT = {"id": "<id>", "revision": 1, "idempotency_key": "<idempotency_key>"}
INDENT = "    "


def show(
    contract: Contract, name: str, given: Mapping[str, Any] | None = None, config: SystemConfig | None = None
) -> Iterator[str]:
    """Yield the lines that show a record of an operation: its mapping on the left, its requests on the right.

    Args:
        contract: of the product.
        name: the operation.
        given: fields of the record in our words, in the place of the example's.
        config: the system's part of the configuration, which may name a provider; the product's own without it.

    Raises:
        ConfigError: there is no such operation, or it carries no records.
        MappingError: the record can't be mapped.
    """
    spec = contract.operation(name)
    data = _data(contract, spec, given or {})
    payload = spec.prepare(data)
    by_contract = provider_of(contract, config or SystemConfig(system=contract.system)) is RestProvider
    right: list[str] = []
    for title, request in _requests(spec, payload) if by_contract else ():
        right += [title, *(INDENT + line for line in _written(request)), ""]
    left = ["our record -> their field", *_mapped(contract, spec, data, payload)]
    if not by_contract:
        left += ["", f"{contract.provider} takes several requests, which its provider makes"]
    yield f"{contract.file}: operations.{name}, map {spec.map.name if spec.map else 'none'}; nothing was sent"
    yield ""
    for one, other in zip_longest(left, right[:-1], fillvalue=""):
        yield f"{_cut(one):<{WIDTH}} | {other}".rstrip()


def _data(contract: Contract, spec: OperationSpec, given: Mapping[str, Any]) -> Data:
    example = EXAMPLES.get(spec.kind)
    if example is None:
        message = f"{contract.file}: {spec.name} carries no records; only operations with a kind can be shown"
        raise ConfigError(message, code="NO_OPERATION")
    ids = {kind: ["1"] for kind in EXAMPLES} | {"service_request": ["1"]}
    setting = Setting(MARK, contract, {spec.kind: given}, ids)
    return dict(example.record(setting, spec.kind, 0).data)


def _requests(spec: OperationSpec, payload: Data) -> Iterator[tuple[str, Request]]:
    context = {**CONTEXT, "key": "<key>"}
    yield "the request", spec.call.request(payload, context)
    if spec.bulk is not None:
        yield "in bulk", spec.bulk.request([spec.bulk.call.body(payload, context)])
    if spec.find is not None:
        yield "the look-up (find)", spec.find.request([payload], context)
    if spec.update is not None:
        yield "a change (update)", spec.update.request(payload, context)


def _written(request: Request) -> list[str]:
    query = "&".join(f"{name}={value}" for name, value in request.params.items())
    address = f"{request.method} {request.path}" + (f"?{query}" if query else "")
    if request.body is None:
        return [address]
    return [address, *json.dumps(request.body, indent=2, ensure_ascii=False, default=str).splitlines()]


def _mapped(contract: Contract, spec: OperationSpec, data: Data, payload: Data) -> Iterator[str]:
    if spec.map is None:
        yield "(no map: the record is sent as it is)"
        return
    fields = read_yaml(Path(contract.file)).value["maps"][spec.map.name]
    for ours in dropped(fields):
        source = first(normal(ours, fields[ours])["from"])(data)
        yield f"{ours} = {_text(source)} -> (dropped)"
    for ours, target in spec.map.mapping.items():
        written = normal(ours, fields.get(ours, target))
        value = getter(target)(payload)
        if "const" in written:
            yield f"(const) -> {target} = {_text(value)}"
            continue
        source = first(written["from"])(data)
        yield f"{ours} = {_text(source)} -> {target}" + ("" if source == value else f" = {_text(value)}")


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def show_record(path: str | None, system: str, name: str, record: str | None, contract: str | None) -> int:
    """Print a record of a system's contract.

    Args:
        path: the configuration file.
        system: such as ``lims``.
        name: the operation.
        record: a YAML file with fields of the record, in our words.
        contract: a contract's name or file, in the place of the configured one.
    """
    from pv_testing.config import load_config
    from pv_testing.contracts import load_contract

    config = None if contract else load_config(path).systems[system]
    loaded = load_contract(config.contract, config.mappings) if config else load_contract(contract or "")
    given = read_yaml(Path(record)).value if record else {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"{record}: must be a mapping of fields")
    for line in show(loaded, name, given, config):
        print(line)
    return 0
