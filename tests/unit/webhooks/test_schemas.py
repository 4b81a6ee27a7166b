"""The schemas and the AsyncAPI document are those of the table of events, and what is sent meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from pv_testing.contracts.kinds import KINDS
from pv_testing.core.records import Result
from pv_testing.domain.events import EVENTS, FACTS, occurrences
from pv_testing.ledger.outbox import Event
from pv_testing.webhooks.bodies import MOST_BYTES, body
from pv_testing.webhooks.schemas import ASYNCAPI, asyncapi, documents, schema

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "include" / "schemas" / "events"
SPECIFICATION = PROJECT / ".run" / "node" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


def test_the_files_are_those_that_are_made_of_the_table() -> None:
    made = documents()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, content in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == content, "python -m pv_testing webhooks schemas"


@pytest.mark.parametrize("name", EVENTS)
def test_each_schema_is_one(name: str) -> None:
    Draft7Validator.check_schema(schema(name))


def test_what_is_sent_meets_its_schema_and_is_no_larger_than_advised() -> None:
    facts = dict.fromkeys(FACTS, "x" * 5000)
    seen = set()
    for kind in {kind for operations in KINDS.values() for kind in operations.values()}:
        for action in ("settle", "quarantine", "release", "confirm", "approve", "reject"):
            for result in (*(each.value for each in Result), ""):
                told = {
                    "action": action, "system": "qms", "kind": kind, "key": "5678", "result": result,
                    "external_id": "X-1", "detail": {"revision": 1, "code": "CODE", "reason": "y" * 5000},
                }  # fmt: skip
                for one in occurrences(told, facts):
                    sent = body(Event(1, "msg_1", one.name, one.subject, 1.7e9, one.data), "s" * 24, "https://x/api")
                    Draft7Validator(schema(one.name)).validate(json.loads(sent))
                    assert len(sent) < MOST_BYTES
                    seen.add(one.name)
    assert len(seen) == len(EVENTS) - 2


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = asyncapi()
    for name, message in document["channels"]["events"]["messages"].items():
        assert document["components"]["messages"][name]
        assert message["$ref"] == f"#/components/messages/{name}"
        assert (FOLDER / document["components"]["messages"][name]["payload"]["schema"]["$ref"]).is_file()


def test_the_document_is_valid_asyncapi() -> None:
    if not SPECIFICATION.is_file():
        pytest.skip("the specification is not there: npm install --prefix .run/node @asyncapi/specs@6.11.1")
    document = json.loads((FOLDER / ASYNCAPI).read_text(encoding="utf-8"))
    errors = list(Draft7Validator(json.loads(SPECIFICATION.read_text(encoding="utf-8"))).iter_errors(document))
    assert [error.message[:200] for error in errors] == []
