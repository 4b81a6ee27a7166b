"""Stores of files that Airflow reaches with the credentials of a connection: ``sftp://CONN_ID@/in``, ``s3://…``."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from pv_testing.core.reasons import Reason

SSH = frozenset({"sftp", "ssh"})
NO_SFTP = (
    "SFTP needs Python 3.11 or newer, with apache-airflow-providers-sftp[sshfs] in it; "
    f"this is Python {sys.version_info.major}.{sys.version_info.minor}, and it isn't there"
)


def open_path(address: str) -> Any:
    """Return a path of an address, with the file system that Airflow's provider of its protocol gives.

    Args:
        address: such as ``sftp://pv_drop@/in``, where ``pv_drop`` is an Airflow connection.

    Raises:
        ConfigError: no installed provider knows such an address, or there is no such connection.
        NetworkError: the server can't be reached, or its key isn't in ``known_hosts``.
    """
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.exceptions import AirflowException

    from pv_testing.core.errors import ConfigError, NetworkError, redact

    parts = urlsplit(address)
    try:
        path = _ssh_path(address) if parts.scheme in SSH else ObjectStoragePath(address)
        path.fs  # noqa: B018 - the connection is read when the file system is asked for
    except ConfigError:
        raise
    except (AirflowException, ImportError, ValueError) as error:
        message = f"the store of files can't be used: {type(error).__name__}: {redact(str(error), 200)}"
        raise ConfigError(message, code=Reason.STORE_UNUSABLE) from None
    except Exception as error:
        message = f"the store of files can't be reached: {type(error).__name__}: {redact(str(error), 200)}"
        raise NetworkError(message, code=Reason.STORE_UNREACHABLE) from error
    return path


def _ssh_path(address: str) -> Any:
    """Return a path over SSH whose server must be in ``known_hosts``.

    Airflow's provider takes any server's key unless it is told otherwise, and ``ObjectStoragePath`` can't tell it.

    Raises:
        ConfigError: the provider or what it needs isn't installed; ``requirements.txt`` has it from Python 3.11 on.
    """
    from airflow.sdk.io import get_fs
    from airflow.sdk.io.fs import has_fs

    from pv_testing.core.errors import ConfigError

    parts = urlsplit(address)
    if not has_fs(parts.scheme):
        raise ConfigError(NO_SFTP, code=Reason.STORE_UNUSABLE)
    conn_id = parts.netloc.rpartition("@")[0]
    checked: Any = {"known_hosts": ()}  # the user's own file
    try:
        system = get_fs(parts.scheme, conn_id, checked)
    except ImportError:
        raise ConfigError(NO_SFTP, code=Reason.STORE_UNUSABLE) from None
    return SimpleNamespace(fs=system, path=parts.path, protocol=parts.scheme)
