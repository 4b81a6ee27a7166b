"""Keeps credentials out of logs, errors, reports and the audit trail.

Systems repeat what they received: headers in an error, a body in a log. The credentials of a session are known and
are blotted out in all the forms in which systems repeat them; a value that looks like a credential, by its name, is
blotted out as well.
"""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from pv_testing.core import encodings
from pv_testing.core.encodings import Span

EXCERPT_LIMIT = 300
SHORTEST = 6
"""Characters that a credential must have to be known again in a text; anything shorter is a part of common words."""
LONGEST_WORD = 11
"""Letters up to which a credential of nothing else may be a part of longer words, and is known only by itself."""
MOST = 1_000
READ = 100_000
"""The most characters that are read for an excerpt, however much of them is blotted out."""
BLOT = "***"

_NAME = r"""(?:
    authorization | (?: api | subscription | access | secret | private | shared | signing | account )[-_\ ]?key
  | x-[\w-]{1,40}-key | x-(?:[\w-]{1,40}-)?auth | token | (?:client[-_]?)? secret | password | passwd | passphrase | pwd
  | credentials? | cookie | session(?:[-_]?id)?
)"""
_SPOKEN = rf"""(?P<name> {_NAME} ) (?P<glue> \\*["']? \s* (?: [:=] | => ) \s* """
_LISTED = re.compile(rf"""(?ixs) {_SPOKEN} [\[(] ) [^\])]+""")
_QUOTED = re.compile(
    rf"""(?ixs) {_SPOKEN} b? (?P<escape>\\+)? (?P<quote>["']) )
    (?: (?(escape) (?: (?! \\+ (?P=quote) ) . )+ | (?: \\. | (?! (?P=quote) ) [^\\] )+ ) (?= \\* (?P=quote) )
      | (?! \\* (?P=quote) ) \s* [^\r\n]{{1,200}} \S* )"""
)
"""A quote that is never closed ends with its line, or with the word after 200 characters; no credential is longer."""
_BARE = re.compile(
    rf"""(?ix) {_SPOKEN} )
    (?: (?: bearer | basic | token | session | api-?key | (?<= authorization: \ ) [\w-]{{1,40}} ) \s+ )?
    [^\s"',;&}}<>\\[(]+"""
)
_DIGEST = re.compile(r"""(?ix) (?P<name> digest ) (?P<glue> \s+ ) (?= \w{1,40} = ) [^\r\n]+""")
_COOKIES = re.compile(r"""(?ix) (?P<name> cookie ) (?P<glue> \s* : \s* ) [^"'\r\n]+""")
_ELEMENT = re.compile(rf"""(?ix) (?P<name> < (?: [\w.-]{{1,40}} : )? {_NAME} \b [^<>]{{0,200}} > ) (?P<glue>) [^<]+""")
_PATTERNS = (_COOKIES, _DIGEST, _LISTED, _QUOTED, _BARE, _ELEMENT)
_BEGINS = r"(?: \b | (?<= \\[bfnrt] ) | (?<= % [\da-fA-F]{2} ) | (?<= \\x [\da-f]{2} ) | (?<= \\u [\da-fA-F]{4} ) )"
"""Where a word may begin: also behind an escaped character, whose letters aren't its own."""
_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_CUT_IN_URL = re.compile(r"(?<=://)[^/\s@]*\Z")
_SECRET_NAME = re.compile(rf"(?ix) {_NAME} s? $")


class _Known:
    """The credentials of this process's sessions, the newest of them where there are many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, dict[str, str]] = {}
        self._patterns: dict[str, str] = {}
        self.longest = 0

    def add(self, secret: str) -> None:
        with self._lock:
            if secret in self._secrets:
                return
            self._secrets[secret] = dict(_patterns(secret))
            if len(self._secrets) > MOST:
                self._forget()
            self._patterns = {**self._patterns, **self._secrets[secret]}  # others read the former one meanwhile
            self.longest = max(self.longest, encodings.LONGEST * len(_bytes(secret)))

    def _forget(self) -> None:
        """Forget the oldest tenth at once: to find the patterns of the others takes as long when one is forgotten."""
        for secret in list(self._secrets)[: max(1, MOST // 10)]:
            del self._secrets[secret]
        self._patterns = {form: pattern for each in self._secrets.values() for form, pattern in each.items()}
        self.longest = encodings.LONGEST * max(len(_bytes(each)) for each in self._secrets)

    def spans(self, text: str) -> Iterator[Span]:
        """Yield the places of known credentials in a text, in every way of writing their characters."""
        yield from self._places(text)
        for view in encodings.views(text) if self._patterns else ():
            yield from (view.source(span) for span in self._places(view.text))

    def _places(self, text: str) -> Iterator[Span]:
        for form, pattern in self._patterns.items():
            if form in text:
                yield from (each.span() for each in re.finditer(pattern, text))


_known = _Known()


def conceal(*secrets: str) -> None:
    """Have credentials blotted out of every message of this process from now on.

    Args:
        secrets: passwords, keys and tokens as they are; those shorter than :data:`SHORTEST` can't be told from words.
    """
    for secret in secrets:
        if len(secret) >= SHORTEST:
            _known.add(secret)


def _bytes(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


def _patterns(secret: str) -> Iterator[tuple[str, str]]:
    """Yield the forms by which a credential is known, each with the pattern of all characters to blot out."""
    for form in _forms(secret):
        alone = len(form) <= LONGEST_WORD and form.isalpha()
        yield form, rf"(?x) {_BEGINS} {form} \b" if alone else re.escape(form)
    yield from encodings.base64_parts(_bytes(secret))


def _forms(secret: str) -> set[str]:
    """Return a credential as it is, and as addresses, JSON, XML and hex write it.

    Decoded texts need no other spelling, unless the credential looks like escaped text itself.
    """
    spelt = {secret, secret.replace(" ", "+"), *encodings.hexadecimal(_bytes(secret))}
    spelt |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret)}
    addresses = {write(_bytes(secret)) for write in (quote, quote_plus)} | {quote(_bytes(secret), safe="")}
    decoded = {view.text for view in encodings.views(secret) if len(view.text) >= SHORTEST}
    return spelt | addresses | decoded


def redact(text: str, limit: int = EXCERPT_LIMIT) -> str:
    """Return ``text`` without credentials and shortened to ``limit`` characters, fit for a log or an error.

    Args:
        text: anything that a system sent or received.
        limit: the greatest length of the answer, in characters.
    """
    if not text:
        return ""
    enough = size = limit * 4
    clean = _blotted(text, size)
    while len(clean) < enough and size < min(len(text), READ):
        size = min(size * 2, READ)
        clean = _blotted(text, size)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _blotted(text: str, most: int) -> str:
    """Return the first ``most`` characters without credentials; none is cut in two and half shown.

    Each is looked for in the text as it came: a credential that is a word, such as ``secret``, would else hide the name
    by which another one is known.
    """
    head = text[: most + _known.longest]
    end = len(text) if len(head) == len(text) else most
    parts, at = [], 0
    for start, stop in sorted([*_known.spans(head), *_looking_like_credentials(head)]):
        if start < end and stop > at:
            parts += [head[at:start], BLOT] if start >= at else []
            at = stop
    clean = "".join([*parts, head[at:end]])
    return clean if end == len(text) else _CUT_IN_URL.sub(BLOT, clean)


def _looking_like_credentials(text: str) -> Iterator[Span]:
    for pattern in _PATTERNS:
        yield from ((match.end("glue"), match.end()) for match in pattern.finditer(text))
    yield from (match.span() for match in _CREDENTIALS_IN_URL.finditer(text))


def names_secret(name: str) -> bool:
    """Return whether a field of this name holds a credential, such as ``password`` or ``X-API-Key``."""
    return _SECRET_NAME.search(name) is not None
