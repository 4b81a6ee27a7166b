"""Shows that errors say where and why, cross process borders whole, and never carry a secret."""

from __future__ import annotations

import pickle

import pytest

from pv_testing.core.errors import RateLimited, Rejected, redact


def test_an_error_names_record_system_and_reason():
    error = Rejected(
        "the customer is unknown", system="lims", provider="LabWare", operation="create_sample", key="SR-1/A1"
    )
    assert str(error) == "lims (LabWare) create_sample, SR-1/A1: the customer is unknown [REJECTED]"


def test_what_the_raiser_did_not_know_is_filled_in_once():
    error = Rejected("no", system="lims").about(system="erp", key="SR-1/A1")
    assert (error.system, error.key) == ("lims", "SR-1/A1")


def test_errors_survive_pickling_with_everything_they_carry():
    error = pickle.loads(pickle.dumps(RateLimited("wait", retry_after=7.5, system="lims", code="BURST")))
    assert (error.retry_after, error.system, error.code, str(error)) == (7.5, "lims", "BURST", "lims: wait [BURST]")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary-123456",
        '{"access_token": "canary-123456", "a": 1}',
        "https://user:canary-123456@lims.example/api",
        "grant_type=client_credentials&client_secret=canary-123456&x=1",
        "X-API-Key: canary-123456",
        "{'password': 'canary-123456'}",
    ],
)
def test_secrets_are_redacted(text):
    assert "canary" not in redact(text)
    assert "canary" not in str(Rejected("no", excerpt=text))


def test_an_excerpt_is_short():
    assert len(redact("x" * 10_000)) == 300
