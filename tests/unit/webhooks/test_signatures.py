"""Both signatures are what independent libraries make and accept, on Python's side and on Node's."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from pv_testing.webhooks.signatures import (
    canonical,
    canonical_forms,
    for_library,
    signed,
    standard_headers,
    standard_key,
)

PROJECT = Path(__file__).parents[3]
NODE_MODULES = PROJECT / ".run" / "node" / "node_modules"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GUIDE = {
    "event": "protocol.completed",
    "timestamp": "2025-11-13T15:30:00Z",
    "data": {
        "execution_id": 5678,
        "protocol_id": "PVTP-001",
        "sr_number": "SR-2025-0123",
        "status": "COMPLETE",
        "qc_status": "PASS",
        "results_url": "https://api.test-protocols.io/api/v1/executions/5678/results",
    },
}


def test_the_guide_s_body_is_signed_as_plain_python_does_it() -> None:
    sent = json.loads(signed(GUIDE, "your_webhook_secret"))
    assert list(sent) == ["event", "timestamp", "data", "signature"]
    signature = sent.pop("signature")
    content = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert signature == "sha256=" + hmac.new(b"your_webhook_secret", content, hashlib.sha256).hexdigest()
    assert sent == GUIDE


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_the_form_of_a_python_sender_is_among_the_canonical_ones(ensure_ascii: bool) -> None:
    body = {"z": "Größe Ω 😀", "a": [1, 2.5, None, True, {"y": "\u2028\x7f", "b": 1.0}]}
    raw = json.dumps({**body, "signature": "x"}, ensure_ascii=ensure_ascii, indent=1).encode()
    wanted = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=ensure_ascii).encode()
    assert wanted in canonical_forms(raw)


def test_numbers_keep_the_digits_that_were_signed() -> None:
    assert canonical_forms(b'{"v": 1.10, "n": 12345678901234567890123, "e": 1E5}') == (
        b'{"e":1E5,"n":12345678901234567890123,"v":1.10}',
    )


@pytest.mark.parametrize("raw", [b"[]", b"1", b"{", b'{"a": NaN}', b"\xff", b""])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the parser says
        canonical_forms(raw)


@given(st.dictionaries(st.text(max_size=5), st.recursive(
    st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8,
), max_size=5))  # fmt: skip
def test_what_we_sign_is_what_we_would_verify(body: dict) -> None:
    body.pop("signature", None)
    assert canonical(body) in canonical_forms(signed(body, "x" * 24))


def test_the_independent_library_accepts_ours_and_refuses_a_changed_body() -> None:
    body = signed(GUIDE, SECRET)
    headers = standard_headers([SECRET], "msg_1", int(datetime.now(timezone.utc).timestamp()), body)
    assert Webhook(SECRET).verify(body, headers)["event"] == "protocol.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"PASS", b"FAIL"), headers)


def test_during_a_rotation_each_of_the_two_secrets_verifies_and_no_third_one() -> None:
    old, new, other = (for_library(letter * 32) for letter in "onx")
    body = signed(GUIDE, old)
    headers = standard_headers([new, old], "msg_1", int(datetime.now(timezone.utc).timestamp()), body)
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers)


def test_a_plain_secret_has_a_form_that_libraries_take() -> None:
    assert standard_key(for_library("your_webhook_secret")) == b"your_webhook_secret"
    body = b"{}"
    now = int(datetime.now(timezone.utc).timestamp())
    Webhook(for_library("your_webhook_secret")).verify(body, standard_headers(["your_webhook_secret"], "m", now, body))


def test_the_npm_package_accepts_ours_and_we_make_what_it_makes() -> None:
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / "standardwebhooks").is_dir():
        pytest.skip("node or its package is not there: npm install --prefix .run/node standardwebhooks@1.1.1")
    body = signed(GUIDE, SECRET)
    now = int(datetime.now(timezone.utc).timestamp())
    headers = standard_headers([SECRET], "msg_1", now, body)
    script = (
        'const {Webhook} = require("standardwebhooks");'
        "const [secret, body, headers, now] = JSON.parse(require('fs').readFileSync(0));"
        "const hook = new Webhook(secret); hook.verify(body, headers);"
        "console.log(hook.sign('msg_1', new Date(now * 1000), body));"
    )
    process = subprocess.run(
        [node, "-e", script],
        input=json.dumps([SECRET, body.decode(), headers, now]),
        env={"NODE_PATH": str(NODE_MODULES)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert process.stdout.strip() == headers["webhook-signature"]
