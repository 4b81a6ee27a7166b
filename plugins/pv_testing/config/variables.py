"""``${VARIABLE}`` and ``${VARIABLE:-default}`` in settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pv_testing.core.problems import allowed

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Missing(Exception):
    """The environment lacks a variable."""


def expand(text: str, env: Mapping[str, str]) -> str:
    """Return a setting with its variables replaced.

    Args:
        text: the setting; ``${VARIABLE}`` must be set and not empty, ``${VARIABLE:-default}`` need not.
        env: where they are looked up.

    Raises:
        Missing: a variable isn't set, or what looks like one can't be read.
    """
    absent = [match[1] for match in _VARIABLE.finditer(text) if match[2] is None and not env.get(match[1])]
    if absent:
        raise Missing(f"the environment variable {', '.join(absent)} isn't set; {_close(absent[0], env)}")
    expanded = _VARIABLE.sub(lambda match: env.get(match[1]) or match[2] or "", text)
    if "${" in _VARIABLE.sub("", text):
        raise Missing("has a ${ that isn't ${VARIABLE} or ${VARIABLE:-default}")
    return expanded


def _close(name: str, env: Mapping[str, str]) -> str:
    hint = allowed(name, [known for known in env if "_" in known and known != name]).partition("allowed:")[0].strip()
    return hint or "set it, or use an Airflow connection"
