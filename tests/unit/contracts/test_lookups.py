"""Shows that a contract is refused whose requests don't hold what they seem to hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pv_testing.contracts import load_contract
from pv_testing.contracts.kinds import KINDS
from pv_testing.contracts.request_template import Request
from pv_testing.core.errors import ConfigError, MappingError
from pv_testing.core.schema import validator
from tests import yaml_text

MAPS = {
    "record": {
        "serial_number": "SampleNo",
        "sr_number": "Order.Number",
        "customer_name": {"to": "Client", "required": False},
        "source": {"to": "Origin", "const": "PV framework"},
    }
}
DATA = {"serial_number": "SN'1", "sr_number": "SR-1"}


def written(folder: Path, find: dict[str, Any], *, maps: Any = MAPS, **operation: Any) -> Path:
    create = {"kind": "sample", "method": "POST", "path": "/s", "map": "record", "on_change": "ignore", "find": find}
    content = {"contract": 1, "system": "lims", "provider": "Small", "title": "A small one", "maps": maps}
    path = folder / "small.yaml"
    path.write_text(yaml_text.dump({**content, "operations": {"create": {**create, **operation}}}), encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load_contract(path)
    return str(refused.value)


def request(path: Path, data: dict[str, Any] = DATA, **context: Any) -> Request:
    spec = load_contract(path).operation("create")
    assert spec.find is not None
    return spec.find.request([spec.prepare(data)], context)


KEY = {"path": "/s", "list": "rows", "key": "{SampleNo}"}


@pytest.mark.parametrize(
    ("find", "expected"),
    [
        (KEY, "operations.create.find: asks the same of every record"),
        ({**KEY, "query": {"deleted": {"const": False}}}, "asks the same of every record"),
        ({**KEY, "query": {"Origin": "source"}}, "asks the same of every record"),
        ({**KEY, "keys": {"each": "Origin", "size": 10}}, "asks the same of every record"),
        ({**KEY, "query": {"SampelNo": "number"}}, "nothing that is sent is called 'SampelNo'; did you mean 'SampleNo"),
        ({**KEY, "path": "/s/{number}"}, "nothing that is sent is called 'number'"),
        ({**KEY, "query": {"SampleNo": "number"}, "key": "{serial}"}, "nothing that is sent is called 'serial'"),
        ({**KEY, "query": {"q": {"const": "u='{SampleNo}'"}}}, "query.q.const: is sent as it is"),
        ({**KEY, "query": {"q": "u='{SampleNo}'"}}, "{SampleNo} needs a rule of quoting, as in {SampleNo|sql}"),
        ({**KEY, "query": {"q": "u='{SampleNo|sgl}'"}}, "no such rule of quoting; did you mean 'sql'?"),
        ({**KEY, "query": {"q": {"template": "u=SampleNo"}}}, "or no field at all; write {field|rule}"),
        ({**KEY, "query": {"q": "u='{Origin|sql}'"}}, "asks the same of every record"),
        ({**KEY, "path": "/s/{sample-no}"}, "find.path: has braces around something else than the name of a field"),
        ({**KEY, "path": "/s/{SampleNo}", "key": "{SampleNo|sql}"}, "find.key: has braces around something else"),
    ],
)  # fmt: skip
def test_a_look_up_that_holds_nothing_of_the_record_is_refused(
    tmp_path: Path, find: dict[str, Any], expected: str
) -> None:
    assert expected in refusal(written(tmp_path, find))


def test_only_the_cause_is_said_of_a_look_up_by_what_is_not_sent(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, {**KEY, "query": {"u_extid": "q"}}))
    assert "nothing that is sent is called 'u_extid'" in message
    assert "asks the same of every record" not in message


BULK = {"path": "/bulk", "size": 10, "items": "rows", "status": "status"}
ASKS = {**KEY, "query": {"SampleNo": "number"}}


@pytest.mark.parametrize(
    ("bulk", "expected"),
    [
        ({"key": "{u_extid}"}, "operations.create.bulk.key: nothing that is sent is called 'u_extid'"),
        ({"key": "{u_extid}"}, "'u_extid'; allowed: Client, Order.Number, Origin, SampleNo; bulk requests have stamps"),
        ({"key": {"sent": "{SampelNo}", "found": "{No}"}}, "called 'SampelNo'; did you mean 'SampleNo'?"),
        ({"key": "{SampleNo}", "fields": ["Client"]}, "nothing that is sent is called 'SampleNo'; allowed: Client"),
        ({"key": "{key}"}, "nothing that is sent is called 'key'"),
        ({"key": "{sample-no}"}, "bulk.key: has braces around something else than the name of a field"),
        ({"key": "{Origin}"}, "bulk.key: says the same of every record"),
        ({"key": "{v}", "stamps": {"v": "revision"}}, "bulk.key: says the same of every record"),
    ],
)  # fmt: skip
def test_a_bulk_key_of_what_is_not_sent_is_refused(tmp_path: Path, bulk: dict[str, Any], expected: str) -> None:
    message = refusal(written(tmp_path, ASKS, bulk={**BULK, **bulk}, stamps={"u_extid": "key"}))
    assert expected in message.replace("\n", " ")
    assert re.search(r"small\.yaml:[1-9]\d*: operations\.create\.bulk\.key", message)


@pytest.mark.parametrize(
    "bulk", [{"key": "{u_extid}", "stamps": {"u_extid": "key"}}, {"key": "{Order.Number}/{SampleNo}"}]
)
def test_a_bulk_key_of_what_is_sent_is_taken(tmp_path: Path, bulk: dict[str, Any]) -> None:
    spec = load_contract(written(tmp_path, ASKS, bulk={**BULK, **bulk})).operation("create")
    assert spec.bulk is not None
    assert spec.bulk.keys([spec.bulk.call.body(spec.prepare(DATA), {"key": "SR-1/SN1"})]) not in ([], [None])


def test_a_placeholder_in_a_const_of_a_map_is_refused(tmp_path: Path) -> None:
    maps = {"record": {**MAPS["record"], "label": {"to": "Label", "const": "of {serial_number}"}}}
    path = written(tmp_path, {**KEY, "path": "/s/{SampleNo}"}, maps=maps)
    assert "maps.record.label.const: is sent as it is" in refusal(path)


@pytest.mark.parametrize(
    ("find", "path", "params"),
    [
        ({**KEY, "query": {"SampleNo": "number"}}, "/s", {"number": "SN'1"}),
        ({**KEY, "query": {"Order.Number": "o"}}, "/s", {"o": "SR-1"}),
        ({**KEY, "path": "/o/{Order.Number}"}, "/o/SR-1", {}),
        ({**KEY, "query": {"key": "k"}}, "/s", {"k": "SR-1/SN1"}),
        ({**KEY, "query": {"q": "u_extid='{SampleNo|sql}'"}}, "/s", {"q": "u_extid='SN''1'"}),
        ({**KEY, "query": {"any": {"to": "q", "template": '"{SampleNo|json}"'}}}, "/s", {"q": '"SN\'1"'}),
        ({**KEY, "query": {"q": "o={Order.Number|plain}^k={key|plain}"}}, "/s", {"q": "o=SR-1^k=SR-1/SN1"}),
        ({**KEY, "query": {"q": "{SampleNo}"}}, "/s", {"q": "SN'1"}),
        ({**KEY, "broad": True}, "/s", {}),
    ],
)
def test_a_look_up_asks_for_the_record(tmp_path: Path, find: dict[str, Any], path: str, params: dict[str, str]) -> None:
    assert request(written(tmp_path, find), key="SR-1/SN1", id="") == Request("GET", path, params)


@pytest.mark.parametrize(
    ("text", "value", "sent"),
    [
        ("'{SampleNo|sql}'", "a' or '1'='1", "'a'' or ''1''=''1'"),
        ('"{SampleNo|json}"', 'a" \\', '"a\\" \\\\"'),
        ("{SampleNo|plain} x", "é/1", "é/1 x"),
    ],
)
def test_a_value_is_quoted(tmp_path: Path, text: str, value: str, sent: str) -> None:
    path = written(tmp_path, {**KEY, "query": {"q": text}})
    assert request(path, {**DATA, "serial_number": value}).params == {"q": sent}


@pytest.mark.parametrize(("rule", "value"), [("sql", "a\\"), ("sql", "a\nb"), ("plain", "a^b"), ("plain", "a'b")])
def test_a_value_that_cannot_be_quoted_is_refused(tmp_path: Path, rule: str, value: str) -> None:
    path = written(tmp_path, {**KEY, "query": {"q": f"'{{SampleNo|{rule}}}'"}})
    with pytest.raises(MappingError) as refused:
        request(path, {**DATA, "serial_number": value})
    assert refused.value.code == "NOT_QUOTABLE"


@pytest.mark.parametrize(
    "find",
    [
        {**KEY, "query": {"Client": "client"}},
        {**KEY, "query": {"q": "c='{Client|sql}'"}},
        {**KEY, "query": {"q": "c='{Client|sql}' and n='{SampleNo|sql}'"}},
        {**KEY, "keys": {"each": "Client", "size": 10}},
        {**KEY, "keys": {"each": {"Client": "client"}, "size": 10}},
    ],
)
def test_a_record_without_what_the_look_up_asks_by_is_not_looked_up(tmp_path: Path, find: dict[str, Any]) -> None:
    with pytest.raises(MappingError) as refused:
        request(written(tmp_path, find))
    assert refused.value.code == "FIELD_MISSING"


def test_what_goes_into_a_template_is_not_repeated_in_the_body(tmp_path: Path) -> None:
    path = written(tmp_path, {**KEY, "path": "/s/{SampleNo}"}, query={"q": "n='{SampleNo|sql}'"})
    spec = load_contract(path).operation("create")
    made = spec.call.request(spec.prepare(DATA))
    assert made.params == {"q": "n='SN''1'"}
    assert made.body == {"Order": {"Number": "SR-1"}, "Origin": "PV framework"}


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    text = refusal(written(tmp_path, {**KEY, "path": "/s/{SampleNo}"}, kind="lims_sample"))
    assert "operations.create.kind: \"lims_sample\" is unknown; did you mean 'sample'?" in text


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"kind": "result"}, "is 'result'; the workflows look for what create_sample carries as 'sample'"),
        ({}, "is missing; the workflows look for what create_sample carries as 'sample'"),
    ],
)
def test_an_operation_of_the_workflows_has_the_kind_that_they_look_for(
    tmp_path: Path, operation: dict[str, Any], expected: str
) -> None:
    path = tmp_path / "small.yaml"
    content = {"contract": 1, "system": "lims", "provider": "Small", "title": "A small one"}
    create = {"path": "/s", "person": True, "on_change": "ignore", **operation}
    path.write_text(yaml_text.dump({**content, "operations": {"create_sample": create}}), encoding="utf-8")
    assert f"operations.create_sample.kind: {expected}" in refusal(path)


def test_the_schema_knows_the_kinds_of_the_workflows() -> None:
    schema = validator("contract").schema["$defs"]["operation"]["properties"]["kind"]
    assert set(schema["enum"]) == {kind for kinds in KINDS.values() for kind in kinds.values()}
