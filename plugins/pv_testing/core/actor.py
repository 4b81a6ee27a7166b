"""The user of the command line: the operating system's account, not a name from the environment."""

from __future__ import annotations

import os
import pwd
from typing import Any, NamedTuple


class ActingUser(NamedTuple):
    """The account that runs a command.

    Attributes:
        name: the account of the process, such as ``ada``; ``uid 1234`` where the system knows no name.
        detail: ``sudo_uid`` and ``sudo_user``, where the environment names another account that has called sudo. The
            environment can be forged, so it is noted beside the account and never in its place.
    """

    name: str
    detail: dict[str, Any]


def actor() -> ActingUser:
    """Return the account that runs this process."""
    uid = os.getuid()
    sudo_uid = os.environ.get("SUDO_UID", "")
    caller = int(sudo_uid) if sudo_uid.isascii() and sudo_uid.isdecimal() and len(sudo_uid) <= len(str(2**32)) else uid
    known = _name(caller)
    detail = {"sudo_uid": caller, "sudo_user": known} if caller != uid and known else {}
    return ActingUser(_name(uid) or f"uid {uid}", detail)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return ""
