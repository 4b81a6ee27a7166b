"""Which text a database can keep as a key or an id, and what stands in for other text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from pv_testing.core.errors import redact

LONGEST_KEY = 2_000  # bytes; PostgreSQL's indexes take no more than 2,704 for system, kind and key
UNUSABLE = "empty, too long or has characters that no database can keep"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> bool:
    """Whether a database can keep the text as a key: neither empty nor too long, without NUL or half a character."""
    if text.isascii():  # nearly every key and id, in a tenth of the time
        return 0 < len(text) <= LONGEST_KEY and "\0" not in text
    return not _UNSTORABLE.search(text) and len(text.encode()) <= LONGEST_KEY


def all_storable(texts: Sequence[str]) -> bool:
    """Whether a database can keep each of the texts as a key; for many at once, in a tenth of the time."""
    together = "".join(texts)
    if together.isascii():
        return all(texts) and max(map(len, texts), default=0) <= LONGEST_KEY and "\0" not in together
    return all(map(storable, texts))


def id_problem(external_id: str) -> str:
    """Return why a record that took effect must wait because of its id in the system; empty where it needn't."""
    if external_id.isascii() and len(external_id) <= LONGEST_KEY and "\0" not in external_id:
        return ""  # nearly every id, and none, without another call
    if storable(external_id):
        return ""
    shown = redact(clean(external_id), 60)
    return (
        f"it took effect in the system, but its id there ({shown}) is too long or has characters that no database can "
        "keep; look there, and confirm the record with an id by which it can be found, or correct the id and release it"
    )


def stand_in(key: str) -> str:
    """Return a key that a database can keep in place of one that it can't: a different one for each."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{clean(key)[:100] or '(empty)'} (key {digest[:12]})"


def clean(text: str) -> str:
    """Return the text with U+FFFD in place of what no database can keep."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)
