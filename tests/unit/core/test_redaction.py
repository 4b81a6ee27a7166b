"""Shows that no credential is said: neither one that is known, in any form, nor what has the name of one."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from pv_testing.core import redaction
from pv_testing.core.redaction import conceal, names_secret, redact
from tests.processor_time import shortest

SECRET = 'ca/na ry+"<12>ü'


@pytest.mark.parametrize(
    "text",
    [
        '{"Authorization": ["Bearer canary.1"]}',
        "{'authorization': b'Bearer canary'}",
        "Authorization=Basic canary",
        "Authorization: ApiKey canary",
        "Authorization: AWS4 canary",
        'Authorization: Digest username="u", response="canary"',
        "headers: {Authorization=[Bearer canary], Accept=[x]}",
        '{"X-Lims-Key": "canary"}',
        '{"headers": {"Ocp-Apim-Subscription-Key": "canary"}}',
        'api_key: [ "canary" ]',
        'bad body: {\\"password\\": \\"canary\\"}',
        '{"password": "two canary"}',
        '{"password": "a\\"canary"}',
        '{"pwd": "canary"}',
        "passphrase=canary",
        '"password" => "canary"',
        "<password>canary</password>",
        '<wsse:Password Type="wsse:Text">canary</wsse:Password>',
        "PRIVATE-TOKEN: canary",
        "X-Auth: canary",
        "Cookie: a=1; b=canary",
        "Set-Cookie: sid=canary; Path=/",
        "{'token': ('canary', 'canary')}",
    ],
)
def test_what_has_the_name_of_a_credential_is_blotted_out(text: str) -> None:
    assert "canary" not in redact(text)


@pytest.mark.parametrize(
    "text", ["customer key: SR-1", "monkey: banana", "idempotency-key: 3", "Missing field: key", "a token endpoint"]
)
def test_what_only_sounds_like_one_is_not(text: str) -> None:
    assert redact(text) == text


def test_what_stands_behind_a_credential_is_still_said() -> None:
    assert redact("Authorization: Bearer abc was refused") == "Authorization: *** was refused"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        json.dumps({"h": SECRET}),
        json.dumps({"h": SECRET}, ensure_ascii=False),
        "ca/na ry+&quot;&lt;12&gt;ü",
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_known_credential_is_blotted_out_wherever_it_stands(form: str) -> None:
    conceal(SECRET)
    text = redact(f"cannot route: {form}!")
    assert "***" in text
    assert "na" not in text.removeprefix("cannot")


def test_no_half_of_a_known_credential_is_left_where_a_text_is_cut() -> None:
    conceal("abcdefghijklmnopqrstuvwxyz")
    for length in range(1, 80):
        text = redact("-" * (length % 26) + "abcdefghijklmnopqrstuvwxyz" * 500, limit=length)
        assert "abc" not in text


NAMED = ("token={} why not", '{{"token": "{}"}} why not')


@pytest.mark.parametrize(
    ("template", "known"), [("{} why not", True), *((template, known) for template in NAMED for known in (True, False))]
)
def test_what_stands_behind_a_long_credential_is_said(
    monkeypatch: pytest.MonkeyPatch, template: str, known: bool
) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    secret = "k3" * 1500
    if known:
        conceal(secret)
    excerpt = redact(template.format(secret) + " z" * 4000)
    assert excerpt.startswith(template.format("***"))
    assert (len(excerpt), "k3" in excerpt) == (redaction.EXCERPT_LIMIT, False)


def test_what_stands_behind_many_long_credentials_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    conceal("k3" * 1500)
    assert redact(("k3" * 1500 + " why ") * 3) == "*** why *** why *** why "


def test_no_more_is_read_than_is_bearable_and_no_half_of_a_credential_is_said() -> None:
    for length in range(redaction.READ - 60, redaction.READ, 5):
        text = redact(f"token={'x' * length} see https://lab:canary1canary2canary3@lims/ {'y' * 10**6}", limit=100)
        assert text.startswith("token=***")
        assert "canary" not in text
    assert shortest(lambda: redact("token='" + "x " * 10**7), rounds=1) < 2


@pytest.mark.parametrize("quote", ['"', "'", '\\"'])
def test_a_quote_that_is_never_closed_ends_with_its_line_or_after_a_while(quote: str) -> None:
    assert redact(f"password: {quote}canary\nsample LIM-1 is locked") == f"password: {quote}***\nsample LIM-1 is locked"
    text = redact(f"password: {quote}{'canary' * 100} is refused. " + "why not? " * 40, 1000)
    assert text.endswith("why not? why not? ")
    assert "canary" not in text
    assert "canary" not in redact(f"password: {quote}\ncanary")
    assert "canary" not in redact(f"password: {quote}a\ncanary{quote}")


@pytest.mark.parametrize("empty", ["''", '""'])
def test_an_empty_credential_hides_nothing(empty: str) -> None:
    assert redact(f"password: {empty} is refused") == f"password: {empty} is refused"


def test_a_credential_that_could_be_a_word_leaves_texts_alone() -> None:
    conceal("", "the")
    assert redact("the system is busy") == "the system is busy"


def test_a_credential_that_is_a_word_is_not_blotted_out_of_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    conceal("integration", "integrationssss")
    innocent = "pv_testing.integrations: see https://lims/integrations/v1 and reintegration"
    assert redact(innocent) == innocent
    assert redact("(integration) or integration:8080, xintegrationssssx") == "(***) or ***:8080, x***x"
    assert redact(base64.b64encode(b"integration").decode() + "x") == "***x"
    for escaped in ("\\n", "\\t", "%3A", "%20", "\\x3d", "\\u003d"):
        assert redact(f"u{escaped}integration{escaped}") == f"u{escaped}***{escaped}"


def test_the_newest_credentials_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    monkeypatch.setattr(redaction, "MOST", 2)
    conceal("first-token", "second-token", "third-token")
    assert redact("a first-token, second-token, third-token") == "a first-token, ***, ***"
    monkeypatch.setattr(redaction, "MOST", 100)
    conceal(*(f"token-{number:03}" for number in range(150)))
    assert {redact(f"token-{number:03}") for number in range(60, 150)} == {"***"}
    assert redact("third-token, token-000") == "third-token, token-000"


@pytest.mark.parametrize(
    "name", ["password", "api_key", "apiKey", "X-API-Key", "tokens", "client_secret", "X-Lims-Auth"]
)
def test_names_of_credentials(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize("name", ["key", "secretary", "author", "password_changed_at", "token_url", "monkey"])
def test_names_of_other_things(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        "token: ",
        "digest ",
        "<token ",
        "x-a-",
        "session ",
        "authorization: ",
        "://a:",
        'token="',
        "token\\\\",
        "cookie ",
    ],
)
def test_no_text_takes_long(text: str) -> None:
    short = shortest(lambda: redact(text * 1_000, 10**6), rounds=3)
    long = shortest(lambda: redact(text * 10_000, 10**6), rounds=2)
    assert long < 40 * short, "ten times the text takes about ten times as long, not a hundred times"


@pytest.mark.parametrize("text", ["client_secret=canary-123456&x=1", "secret=canary", "session token: 'canary'"])
def test_a_credential_that_is_the_name_of_another_hides_no_name(text: str) -> None:
    conceal("secret", "session")
    assert "canary" not in redact(text)
