"""Who acts on the command line: the operating system's user, whatever the environment says."""

from __future__ import annotations

import os
import pwd
from typing import Any, NamedTuple


class Actor(NamedTuple):
    """Somebody who acts.

    Attributes:
        name: the account of the process, such as ``ada``; ``uid 1234`` where the system knows no name.
        detail: ``sudo_uid`` and ``sudo_user``, where the environment says that another account has called sudo. The
            environment may be set by anybody, so it is noted beside the account and never in its place.
    """

    name: str
    detail: dict[str, Any]


def actor() -> Actor:
    """Return who runs this process."""
    uid = os.getuid()
    said = os.environ.get("SUDO_UID", "")
    caller = int(said) if said.isascii() and said.isdecimal() and len(said) <= len(str(2**32)) else uid
    known = _name(caller)
    detail = {"sudo_uid": caller, "sudo_user": known} if caller != uid and known else {}
    return Actor(_name(uid) or f"uid {uid}", detail)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return ""
