"""People of the framework as project management knows them: by their e-mail addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pv_testing.domain.reading import text
from pv_testing.projects.policy import ROLES

User = Mapping[str, Any]


def find_available_operator(
    users: Iterable[User], load: Mapping[str, int] | None = None, roles: Sequence[str] = ROLES
) -> str:
    """Return the address of the active user with the fewest open assignments; empty where there is none.

    Args:
        users: as the framework lists them.
        load: open assignments by address.
        roles: the first of them that somebody active has decides; of equals, the lowest id does.
    """
    able = [user for user in users if user.get("active", True) and text(user.get("email"))]
    for role in roles:
        in_role = [user for user in able if text(user.get("role")).casefold() == role.casefold()]
        if in_role:
            return text(min(in_role, key=lambda user: _by_load(user, load or {}))["email"])
    return ""


def _by_load(user: User, load: Mapping[str, int]) -> tuple[int, int, int, str]:
    return (load.get(text(user["email"]), 0), *_place(user))


def _place(user: User) -> tuple[int, int, str]:
    identity = text(user.get("id"))
    return (0, int(identity), "") if identity.isdecimal() else (1, 0, identity)


def address(operator: User, users: Mapping[str, User]) -> str:
    """Return the address of an execution's operator, or the id where there is none, so that no work is left out.

    Args:
        operator: what the execution says of the operator.
        users: of the framework, by id.
    """
    identity = text(operator.get("id"))
    known = users.get(identity, {})
    return text(operator.get("email")) or text(known.get("email")) or identity
