"""Shows that no spelling of a known credential is said, that nothing else is lost, and that no text takes long."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv_testing.core import encodings, redaction
from pv_testing.core.redaction import conceal, redact
from tests.processor_time import shortest

SECRET = st.text(
    st.sampled_from("a1/+&%\\\"'<>= :é字😀") | st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40
)
NEIGHBOURS = st.binary(max_size=7)
CHARACTER: tuple[Callable[[str], str], ...] = (
    lambda each: "".join(f"%{byte:02x}" for byte in each.encode()),
    lambda each: "".join(f"%{byte:02X}" for byte in each.encode()),
    lambda each: f"&#{ord(each)};",
    lambda each: f"&#x{ord(each):04x};",
    lambda each: f"&#X{ord(each):X};",
    lambda each: "".join(f"\\u{unit:04x}" for unit in _units(each)),
    lambda each: "".join(f"%u{unit:04X}" for unit in _units(each)),
    lambda each: "".join(f"\\x{byte:02x}" for byte in each.encode()),
    lambda each: f"\\U{ord(each):08x}",
)


def _units(character: str) -> list[int]:
    raw = character.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())


def known(secret: str) -> None:
    redaction._known = redaction._Known()
    conceal(secret)


@given(SECRET, st.data())
def test_a_credential_is_known_however_each_of_its_characters_is_written(secret, data):
    known(secret)
    spelt = "".join(data.draw(st.sampled_from(CHARACTER))(each) for each in secret)
    assert redact(f"who is ({spelt})? you") == "who is (***)? you"


@given(SECRET, st.sampled_from(CHARACTER))
def test_what_stands_beside_a_credential_is_said_as_it_came(secret, write):
    known(secret)
    beside = "%20caf%C3%A9 &lt;b&gt; \\u00e9\\n"
    spelt = "".join(map(write, secret))
    assert redact(f"{beside}({spelt}){beside}") == f"{beside}(***){beside}"


@given(SECRET, NEIGHBOURS, NEIGHBOURS, st.booleans(), st.booleans())
def test_a_credential_is_known_in_base64_wherever_it_begins(secret, before, behind, for_addresses, padded):
    known(secret)
    write = base64.urlsafe_b64encode if for_addresses else base64.b64encode
    spelt = write(before + secret.encode() + behind).decode()
    text = redact(f"({spelt if padded else spelt.rstrip('=')})")
    first, last = -(-len(before) * 8 // 6), (len(before) + len(secret.encode())) * 8 // 6
    assert "***" in text
    assert spelt[first:last] not in text


@given(SECRET, st.booleans())
def test_a_credential_is_known_in_hex(secret, upper):
    known(secret)
    spelt = secret.encode().hex()
    assert redact(f"({spelt.upper() if upper else spelt})") == "(***)"


@given(st.text(st.sampled_from("%2fF&#;x\\uU0/ab")), st.data())
def test_a_place_in_a_decoded_text_is_traced_back(text, data):
    for view in encodings.views(text):
        assert view.source((0, len(view.text)))[1] == len(text)
        start = data.draw(st.integers(0, len(view.text)))
        stop = data.draw(st.integers(start, len(view.text)))
        first, last = view.source((start, stop))
        assert 0 <= first <= len(text)
        assert last <= len(text)
        if start < stop:
            assert first < last


@pytest.mark.parametrize("secret", ["50%2Fcanary", 'c%41n"ary\\n', "&amp;canary", "a b+canary"])
def test_a_credential_that_looks_like_escaped_text_is_known_too(secret: str) -> None:
    import html
    import json
    from urllib.parse import quote, quote_plus

    conceal(secret)
    for write in (str, quote, quote_plus, html.escape, lambda each: json.dumps(each)[1:-1]):
        assert redact(f"({write(secret)})") == "(***)"
        lower = "".join(f"%{byte:02x}" for byte in write(secret).encode())
        assert redact(f"({lower})") == "(***)"


def test_no_half_of_a_spelt_credential_is_left_where_a_text_is_cut() -> None:
    conceal("abcdefghijklmnopqrstuvwxyz-1")
    spelt = "".join(f"&#{ord(each)};" for each in "abcdefghijklmnopqrstuvwxyz-1")
    for length in range(1, 200, 14):
        text = redact("-" * (length % 26) + spelt * 300, limit=length)
        assert "&#" not in text


HOSTILE = ["%2f", "%", "&#47;", "&", "&#", "\\u002f", "\\", "\\\\", "&lt;", "%25", "&amp;", "\\x2f", "%u002f", "&a;"]


@pytest.mark.parametrize("fragment", HOSTILE)
def test_ten_times_the_text_takes_about_ten_times_as_long(fragment: str) -> None:
    conceal(*(f"canary-{number}-/+&" for number in range(20)))

    short, long = (fragment * (length // len(fragment)) for length in (20_000, 200_000))
    seconds = shortest(lambda: redact(short, len(short)), rounds=3)
    # A quadratic search takes 100 times as long.
    assert shortest(lambda: redact(long, len(long)), rounds=2) < 50 * max(seconds, 0.001)


def test_an_excerpt_of_a_huge_text_takes_no_longer_than_of_a_long_one() -> None:
    conceal("canary-0815-/+&")
    assert shortest(lambda: redact("%2f&#47;" * 5_000_000), rounds=1) < 2
