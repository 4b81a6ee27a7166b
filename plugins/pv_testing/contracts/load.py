"""Loads contracts: read, validate, compile, and keep by content, so that a contract is compiled once a process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from pv_testing.contracts.model import Contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_names, contract_path
from pv_testing.core.problems import allowed, refuse
from pv_testing.core.reasons import Reason

_Key = tuple[str, str, tuple[tuple[str, str], ...]]
_compiled: dict[_Key, Contract] = {}
_lock = threading.Lock()


def load_contract(name_or_path: str | Path, mappings: Mapping[str, str] | None = None) -> Contract:
    """Return a contract, compiled.

    The file is read again each time, because it may have changed; a known content isn't validated and compiled again.

    Args:
        name_or_path: a name such as ``lims_custom``, or a path.
        mappings: what the deployment calls otherwise than the contract does; the configuration's ``mappings``.

    Raises:
        ConfigError: there is no such contract, or it is wrong; the message lists everything that is.
    """
    from pv_testing.core.yaml_file import parse_yaml, read_bounded

    path = contract_path(name_or_path)
    try:
        content = read_bounded(path)
    except OSError as error:
        known = allowed(str(name_or_path), contract_names())
        raise ConfigError(
            f"{path}: can't be read: {error.strerror or error}; {known}", code=Reason.NO_CONTRACT
        ) from None
    key = (str(path), _digest(content), tuple(sorted((mappings or {}).items())))
    with _lock:
        if key not in _compiled:
            from pv_testing.contracts.compile import compile_contract
            from pv_testing.core.schema import check

            document = parse_yaml(content, str(path))
            refuse(check(document, "contract"))
            _compiled[key] = compile_contract(document, mappings or {})
        return _compiled[key]


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
