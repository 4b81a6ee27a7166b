"""Texts with their escapes undone, and the forms of a credential in Base64 and hex.

Addresses, HTML, XML, JSON and programs write the same character in many ways, also several in one text. Instead of
guessing all spellings of a credential, a text is decoded, and each hit is traced back to its place.
"""

from __future__ import annotations

import base64
import html
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

PASSES = 3
"""How often a text is decoded, as for an address in JSON that is a value in XML."""
LONGEST = 12
"""The most characters that one byte is taken to have in all of these spellings."""

_TOKEN = re.compile(
    r"""(?x)
    (?P<bytes> (?: % [\da-fA-F]{2} )+ | (?: \\x [\da-fA-F]{2} )+ )
  | (?P<unit> (?: (?: \\u | %u ) [\da-fA-F]{4} )+ )
  | (?: \\U (?= [\da-fA-F]{8} ) | &\#[xX] ) (?P<hex> [\da-fA-F]{1,8} ) ;?
  | &\# (?P<number> \d{1,8} ) ;?
  | (?P<entity> & [A-Za-z] [A-Za-z\d]{1,31} ; )
  | \\ (?P<letter> [\\/"'bfnrt] )
    """
)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPES = frozenset("%&\\")
_INVALID, _LAST_INVALID = 0xDC80, 0xDCFF
_ALPHABET = r"[A-Za-z\d+/_-]"
_FOR_ADDRESSES = str.maketrans("+/", "-_")

Span = tuple[int, int]


class View:
    """A text with its escapes undone.

    Attributes:
        text: as it is read then.
    """

    def __init__(self, source: str, outer: View | None = None) -> None:
        self._outer = outer
        self._ends: list[int] = []
        self._starts: list[int] = []
        self._places: list[Span] = []
        parts: list[str] = []
        at = size = 0
        for piece, start, stop in _decoded(source):
            parts += (source[at:start], piece)
            size += start - at
            self._starts.append(size)
            size += len(piece)
            self._ends.append(size)
            self._places.append((start, stop))
            at = stop
        self.text = "".join([*parts, source[at:]])

    @property
    def changed(self) -> bool:
        """Whether there were any escapes."""
        return bool(self._places)

    def source(self, span: Span) -> Span:
        """Return the place of a part of this text in the text as it came."""
        start, stop = span
        first, last = bisect_right(self._starts, start) - 1, bisect_left(self._starts, stop) - 1
        place = self._begin(first, start), self._end(last, stop)
        return self._outer.source(place) if self._outer else place

    def _begin(self, token: int, at: int) -> int:
        if token < 0:
            return at
        start, stop = self._places[token]
        return start if at < self._ends[token] else stop + at - self._ends[token]

    def _end(self, token: int, at: int) -> int:
        if token < 0:
            return at
        stop = self._places[token][1]
        return stop if at <= self._ends[token] else stop + at - self._ends[token]


def views(text: str) -> Iterator[View]:
    """Yield a text decoded once, twice and so on, as long as it has escapes.

    Args:
        text: anything; each view costs time in proportion to its length.
    """
    view: View | None = None
    for _ in range(PASSES):
        if _ESCAPES.isdisjoint(text):
            return
        view = View(text, view)
        if not view.changed:
            return
        yield view
        text = view.text


def _decoded(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each escaped character with its place."""
    for token in _TOKEN.finditer(text):
        at, kind = token.start(), token.lastgroup
        if kind == "bytes":
            width = 3 if text[at] == "%" else 4
            read = _characters(bytes.fromhex(re.sub(r"%|\\x", "", token[0])))
        elif kind == "unit":
            width, read = 6, _units(re.sub(r"\\u|%u", "", token[0]))
        else:
            yield _one(kind, token), at, token.end()
            continue
        for character, size in read:
            yield character, at, at + size * width
            at += size * width


def _one(kind: str | None, token: re.Match[str]) -> str:
    if kind == "entity":
        return html.unescape(token[0])
    if kind == "letter":
        return _LETTERS.get(token["letter"], token["letter"])
    point = int(token["hex"], 16) if kind == "hex" else int(token["number"])
    return chr(point) if point <= sys.maxunicode else token[0]


def _characters(raw: bytes) -> Iterator[tuple[str, int]]:
    """Yield each character of some bytes with their number; bytes that are no UTF-8 are taken for Latin-1."""
    for character in raw.decode("utf-8", "surrogateescape"):
        if _INVALID <= ord(character) <= _LAST_INVALID:
            yield chr(ord(character) - 0xDC00), 1
        else:
            yield character, len(character.encode())


def _units(digits: str) -> Iterator[tuple[str, int]]:
    """Yield each character of some UTF-16 units with their number."""
    for character in bytes.fromhex(digits).decode("utf-16-be", "surrogatepass"):
        yield character, 2 if ord(character) > 0xFFFF else 1


def hexadecimal(raw: bytes) -> Iterator[str]:
    """Yield bytes in hex, in small and in capital letters."""
    yield raw.hex()
    yield raw.hex().upper()


def base64_parts(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield the Base64 forms of bytes within other bytes, each with a pattern for all characters that depend on them.

    They may be a part, as of ``user:password``: three bytes become four characters, so that there are three ways to
    begin. The characters at the ends depend on the neighbours, too; the pattern takes them, and the padding.
    """
    for before in range(3):
        bits = (before + len(raw)) * 8
        coded = base64.b64encode(bytes(before) + raw).decode()[-(-before * 8 // 6) : bits // 6]
        left, right = f"{_ALPHABET}?" if before else "", f"{_ALPHABET}?" if bits % 6 else ""
        for part in {coded, coded.translate(_FOR_ADDRESSES)}:
            yield part, f"{left}{re.escape(part)}{right}={{0,2}}"
