"""Shows whom Tryton lets in, and what it says to those whom it does not."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import AuthenticationError, ConfigError
from pv_testing.core.records import Result
from sandbox.proxy import serve_proxy
from tests.live.tryton import plan
from tests.live.tryton_provider.billing import in_books, invoice, line, post
from tests.live.tryton_provider.calls import fault, proxied

pytestmark = pytest.mark.live


def test_the_user_is_known_by_name(erp):
    assert erp.identity() == plan.INTEGRATION.title()


@pytest.mark.parametrize("credentials", [{"password": "wrong"}, {"username": "nobody"}])
def test_wrong_credentials_are_said_to_be(connect, credentials):
    with pytest.raises(AuthenticationError) as refused:
        connect(**credentials).identity()
    assert "live-" not in str(refused.value)


def test_a_database_that_is_not_there_is_said_to_be(tryton, connect):
    with pytest.raises(AuthenticationError, match="base_url"):
        connect(f"{tryton.origin}/nothing").identity()


def test_another_way_to_log_in_is_refused(connect):
    with pytest.raises(ConfigError, match="auth_type: basic"):
        connect(auth_type="bearer", token="x").identity()


def test_an_expired_session_is_renewed_once(tryton, connect, books, sr, customer):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        number = invoice(client, sr, customer, line("10.00")).external_id
        proxy.faults(fault("account.invoice.post", "expired_token"))
        assert post(client, sr, number, "11.90").result.in_effect
    assert [each["state"] for each in in_books(books, sr)] == ["posted"]


def test_a_user_without_rights_is_refused_in_tryton_s_words(connect, books, sr, customer):
    """What Tryton refuses first is the look-up before the first send, which leaves the record to a person."""
    refused = invoice(connect(username=plan.STRANGER, password=plan.STRANGER_PASSWORD), sr, customer)
    assert (refused.result, refused.code) == (Result.QUARANTINED, "LOOKUP_REFUSED")
    assert 'You are not allowed to access "Account Invoice"' in refused.reason
    assert in_books(books, sr) == []
