"""What a response means: the contract's rules come first, HTTP after them, and the reason is one for a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv_testing.contracts import Contract, load_contract
from pv_testing.core.errors import AuthenticationError, Conflict, NotFound
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response
from tests import yaml_text

RULES = [
    {"status": "2xx", "at": "success", "equals": False, "verdict": "rejected"},
    {"status": 200, "at": "error", "exists": True, "verdict": "rejected", "code": "BUSINESS_RULE"},
    {
        "status": 500,
        "contains": "Invalid transition",
        "verdict": "conflict",
        "reason": "the sample is in another state",
    },
    {"status": "500-502", "operations": ["create"], "verdict": "ambiguous"},
    {"status": [400, 410], "contains": "unknown id", "verdict": "not_found"},
    {"status": 404, "contains": "login", "verdict": "authentication"},
    {"status": 409, "at": "type", "equals": "duplicate", "verdict": "ok"},
    {"status": 420, "verdict": "retryable"},
    {"status": 429, "header": {"X-Limit": "One-Record"}, "verdict": "retryable", "code": "ONE", "waits": "request"},
    {"status": 429, "header": {"X-Limit": ""}, "verdict": "retryable", "code": "ANY"},
]


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    bulk = {"path": "/bulk", "size": 10, "items": "results", "status": "status"}
    content = {
        "contract": 1,
        "system": "lims",
        "provider": "P",
        "title": "T",
        "operations": {
            "create": {"path": "/a", "method": "POST", "success": [201], "bulk": bulk},
            "read": {"path": "/a"},
            "replace": {"path": "/a", "method": "PUT", "bulk": {**bulk, "path": "/c"}},
        },
        "errors": {"code": "error.code", "reason": ["error.message", "error.details"], "rules": RULES},
    }
    path = tmp_path / "rules.yaml"
    path.write_text(yaml_text.dump(content))
    return load_contract(path)


def response(status: int, body: Any) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("operation", "status", "body", "verdict", "code"),
    [
        ("create", 201, {"id": 1}, Verdict.OK, ""),
        ("create", 202, {"id": 1}, Verdict.AMBIGUOUS, "HTTP_202"),
        ("create", 201, {"success": False, "error": {"code": "NO"}}, Verdict.REJECTED, "NO"),
        ("create", 200, {"error": ["UserError", "no"]}, Verdict.REJECTED, "BUSINESS_RULE"),
        ("read", 200, {"error": None, "data": []}, Verdict.OK, ""),
        ("read", 200, {"success": 0}, Verdict.OK, ""),
        ("read", 200, b"<html>no JSON</html>", Verdict.OK, ""),
        ("create", 500, {"message": "Invalid transition 'x'"}, Verdict.REJECTED, "HTTP_500"),
        ("create", 502, b"bad gateway", Verdict.AMBIGUOUS, "HTTP_502"),
        ("read", 502, b"bad gateway", Verdict.RETRYABLE, "HTTP_502"),
        ("create", 503, b"", Verdict.RETRYABLE, "HTTP_503"),
        ("create", 504, b"", Verdict.AMBIGUOUS, "HTTP_504"),
        ("create", 429, {"error": {"code": "RATE_LIMIT_EXCEEDED"}}, Verdict.RETRYABLE, "RATE_LIMIT_EXCEEDED"),
        ("create", 420, b"", Verdict.RETRYABLE, "HTTP_420"),
        ("create", 409, {"type": "duplicate"}, Verdict.OK, ""),
        ("create", 409, {"type": "other"}, Verdict.REJECTED, "HTTP_409"),
        ("create", 422, {"error": {"code": "VALIDATION_ERROR"}}, Verdict.REJECTED, "VALIDATION_ERROR"),
    ],
)
def test_verdicts(contract: Contract, operation: str, status: int, body: Any, verdict: Verdict, code: str) -> None:
    found = contract.classify(operation)(response(status, body), operation == "read")
    assert (found.verdict, found.code) == (verdict, code)
    assert verdict is Verdict.OK or found.reason or not response(status, body).body


def test_a_refusal_says_which_kind_it_is(contract: Contract) -> None:
    classify = contract.classify("create")
    assert classify(response(500, b"Invalid transition 'x'"), False).error is Conflict
    assert classify(response(410, b"unknown id"), False).error is NotFound
    assert classify(response(404, b"please login"), False).error is AuthenticationError
    assert classify(response(404, b"gone"), False).error is NotFound
    assert classify(response(409, b""), False).error is Conflict
    assert classify(response(400, b""), False).error is None


def test_the_reason_is_the_systems_own_with_the_fields_at_fault(contract: Contract) -> None:
    details = [{"field": "customer", "message": "is too long"}, {"field": "metadata", "message": "is no object"}]
    body = {"error": {"code": "VALIDATION_ERROR", "message": "Not valid", "details": details}}
    found = contract.classify("create")(response(422, body), False)
    assert found.reason == "Not valid; customer: is too long; metadata: is no object"
    secret = {"error": {"message": "bad api_key=abcdef", "details": []}}
    assert contract.classify("create")(response(422, secret), False).reason == "bad api_key=***"
    stated = contract.classify("create")(response(500, b"Invalid transition"), False)
    assert stated.reason == "the sample is in another state"


def test_each_answer_of_a_bulk_request_is_judged_by_itself(contract: Contract) -> None:
    classify = contract.classify_item("create")
    refused = {"status": 422, "error": {"code": "VALIDATION_ERROR", "message": "no"}}
    assert classify({"status": 201, "id": "1"}).verdict is Verdict.OK
    assert classify({"status": 201, "success": False}).verdict is Verdict.REJECTED
    assert classify(refused)[:3] == (Verdict.REJECTED, "VALIDATION_ERROR", "no")
    assert classify({"status": 500}).verdict is Verdict.AMBIGUOUS
    assert classify({"status": 503}).verdict is Verdict.RETRYABLE
    assert classify({"id": "1"}).verdict is Verdict.AMBIGUOUS
    assert classify({"status": "201"}).verdict is Verdict.AMBIGUOUS


@pytest.mark.parametrize("operation", ["create", "read", "replace"])
@pytest.mark.parametrize("repeatable", [False, True])
def test_only_a_success_is_a_yes(contract: Contract, operation: str, repeatable: bool) -> None:
    classify, classify_item = contract.classify(operation), contract.classify_item("replace")
    verdicts = {status: classify(response(status, {}), repeatable).verdict for status in range(100, 600)}
    successes = {201} if operation == "create" else set(range(200, 300))
    assert {status for status, verdict in verdicts.items() if verdict is Verdict.OK} == successes
    assert {status for status in range(100, 600) if classify_item({"status": status}).verdict is Verdict.OK} == set(
        range(200, 300)
    )


@pytest.mark.parametrize(
    ("headers", "code", "promised", "alone"),
    [
        ({"x-limit": "one-record"}, "ONE", True, True),
        ({"X-Limit": "all"}, "ANY", True, False),
        ({"X-Other": "one-record"}, "HTTP_429", False, False),
    ],
)
def test_a_rule_may_name_a_header_and_say_who_waits(contract, headers, code, promised, alone):
    meant = contract.classify("create")(Response(429, headers, b"{}"), False)
    assert (meant.verdict, meant.code, meant.promised, meant.alone) == (Verdict.RETRYABLE, code, promised, alone)
