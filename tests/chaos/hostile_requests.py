"""Hostile requests to the receiver, made of genuine ones; it must answer each of them with 4xx."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from typing import NamedTuple

from tests.unit.webhooks.receiving import REVOKED, SECRET, WAYS, digest, framework, standard

HEADERS = (
    "webhook-id", "webhook-timestamp", "webhook-signature", "X-Hub-Signature-256", "X-Hub-Signature", "X-Hook-Secret",
    "X-Hook-Signature", "X-Lab-Secret", "Content-Type", "Content-Encoding", "Authorization", "X-Forwarded-For",
)  # fmt: skip
SNIPPETS = (
    b'"', b"{", b"}", b"[", b"]", b"\\", b"\x00", b"\xff\xfe", b"\\ud800", b"NaN", b"1e999", b"-", b"9" * 400, b"\r\n",
    b'{"signature":"sha256=', b'"signature":{}', b'"data":[]', b"\xf0\x9f\x98\x80", b" " * 1000, b"null", b'"a":' * 70,
)  # fmt: skip


class Hostile(NamedTuple):
    """A request.

    Attributes:
        path: where it goes.
        headers: its headers.
        body: its body.
    """

    path: str
    headers: dict[str, str]
    body: bytes


def requests(number: int, seed: int) -> Iterator[Hostile]:
    """Give requests, the same for the same seed; none of them is genuine."""
    chance = random.Random(seed)
    for _ in range(number):
        system = chance.choice([*WAYS, *WAYS, "nowhere", "..", "%2e%2e", _word(chance)])
        body = _body(chance)
        yield Hostile(f"/{system}{_query(chance)}", _headers(chance, body), body)


def _body(chance: random.Random) -> bytes:
    body = bytearray(
        framework({"execution_id": 1, "sr_number": _word(chance)}, chance.choice([REVOKED, _word(chance)]))
    )
    for _ in range(chance.randrange(6)):
        place = chance.randrange(len(body) + 1)
        kind = chance.randrange(4)
        if kind == 0 and body:
            body[place - 1 : place] = bytes([chance.randrange(256)])
        elif kind == 1:
            body[place:place] = chance.choice(SNIPPETS)
        elif kind == 2:
            del body[place : place + chance.randrange(40)]
        else:
            body[place:place] = chance.choice((b"[", b"{", b'"')) * chance.randrange(1, 500)
    return bytes(body)


def _headers(chance: random.Random, body: bytes) -> dict[str, str]:
    good = {
        **standard(body, REVOKED), "X-Hub-Signature-256": "sha256=" + digest(REVOKED, body),
        "X-Hub-Signature": "sha256=" + digest(SECRET, body + b" "), "X-Lab-Secret": SECRET[:-1],
    }  # fmt: skip
    found = {name: value for name, value in good.items() if chance.random() < 0.7}
    for _ in range(chance.randrange(4)):
        found[chance.choice(HEADERS)] = _value(chance)
    return found


def _value(chance: random.Random) -> str:
    kind = chance.randrange(5)
    if kind == 0:
        return ""
    if kind == 1:
        return "".join(chance.choice(string.printable[:95]) for _ in range(chance.randrange(200))).strip()
    if kind == 2:
        return "".join(chr(chance.randrange(161, 256)) for _ in range(20))
    if kind == 3:
        return f"v1,{_word(chance)} " * chance.randrange(1, 100)
    return str(chance.choice([-1, 0, 10**30, 1.5, "1e9", "٣"[:0] + "²"]))


def _query(chance: random.Random) -> str:
    return chance.choice(["", "", "", "?validationToken=x", "?a=%00", "?" + "a=b&" * 50])


def _word(chance: random.Random) -> str:
    return "".join(chance.choice(string.ascii_letters + string.digits) for _ in range(chance.randrange(1, 30)))
