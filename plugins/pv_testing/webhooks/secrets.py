"""Where the secrets of endpoints and senders are: in Airflow connections, the environment, or a file of their own.

The ledger keeps a reference and a short digest. A reference is ``connection:ID``, ``env:NAME`` or ``file:NAME``. What
is given as a secret itself, as the integration guide does it, goes into the file, which its owner alone may read.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import orjson

from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.core.redaction import conceal
from pv_testing.webhooks.signatures import SHORTEST_SECRET, standard_key

FILE = "pv_webhook_secrets.json"
_REFERENCE = re.compile(r"(connection|env|file):([\w.-]{1,200})")
_PRIVATE = 0o600
_OTHERS = 0o077
# 16 MiB and some 30 ms for one guess; four bytes tell a changed secret, and too little to confirm a guessed one.
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 4}

FromConnection = Callable[[str], str]


def default_file() -> Path:
    """Return the file of secrets: in the Airflow home."""
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / FILE


@lru_cache(maxsize=1_000)
def fingerprint(secret: str) -> str:
    """Return eight digits by which another secret is noticed; slow on purpose."""
    return hashlib.scrypt(secret.encode(), salt=b"pv-testing webhook secret", **_SCRYPT).hex()


class Secrets:
    """Finds secrets by their references, and keeps those that are given themselves.

    Args:
        file: where the latter are kept.
        connection: gives the password of an Airflow connection; ``None`` where there is no Airflow.
        env: the environment; the process's own without it.
    """

    def __init__(
        self,
        file: Path | None = None,
        connection: FromConnection | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._file = SecretFile(file or default_file())
        self._connection = connection
        self._env = os.environ if env is None else env

    def get(self, reference: str) -> str:
        """Return a secret, which is blotted out of everything that is said from now on.

        Args:
            reference: such as ``env:PV_WEBHOOK_SECRET``.

        Raises:
            ConfigError: there is none (``SECRET_MISSING``), or it is too short or no base64 (``SECRET_UNUSABLE``).
        """
        match = _REFERENCE.fullmatch(reference)
        if not match:
            text = "a secret is named by connection:ID, env:NAME or file:NAME"
            raise ConfigError(f"{text}; this reference is none of them", code=Reason.SECRET_MISSING)
        kind, name = match.groups()
        secret = self._read(kind, name)
        if not secret:
            raise ConfigError(f"there is no webhook secret at {reference}: put it there", code=Reason.SECRET_MISSING)
        return checked(secret)

    def _read(self, kind: str, name: str) -> str:
        if kind == "env":
            return self._env.get(name, "")
        if kind == "file":
            return self._file.read().get(name, "")
        if self._connection is None:
            text = f"the webhook secret is in the Airflow connection {name}, which is not read outside of Airflow"
            raise ConfigError(f"{text}: deliver with the DAG pv_webhooks", code=Reason.SECRET_MISSING)
        return self._connection(name)

    def referred(self, secret: str, name: str) -> str:
        """Return a reference to a secret; one that is given itself is kept in the file first.

        Args:
            secret: a reference, or the secret itself.
            name: under which it is kept.
        """
        if is_reference(secret):
            return secret
        digest = fingerprint(checked(secret))
        self._file.write(f"{name}.{digest}", secret)
        return f"file:{name}.{digest}"

    def kept(self, name: str) -> list[str]:
        """Return all secrets that were given themselves under a name."""
        return [checked(secret) for known, secret in self._file.read().items() if known.startswith(f"{name}.")]


def is_reference(text: str) -> bool:
    """Say whether a text names a secret instead of being one."""
    return _REFERENCE.fullmatch(text) is not None


def checked(secret: str) -> str:
    """Return a secret, which is blotted out of everything that is said from now on.

    Raises:
        ConfigError: it is too short, or no base64 where it says so (``SECRET_UNUSABLE``).
    """
    conceal(secret)
    try:
        key = standard_key(secret)
    except ValueError as error:
        raise ConfigError(str(error), code=Reason.SECRET_UNUSABLE) from None
    if len(key) < SHORTEST_SECRET:
        text = f"a webhook secret has at least {SHORTEST_SECRET} bytes, better 32 at random"
        raise ConfigError(text, code=Reason.SECRET_UNUSABLE)
    return secret


class SecretFile:
    """A JSON file of secrets by name, which its owner alone may read.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, str]:
        """Return all secrets; none where there is no file.

        Raises:
            ConfigError: others may read it (``SECRETS_EXPOSED``), or it can't be read.
        """
        try:
            with self._path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_mode & _OTHERS:
                    text = f"{self._path}: others than its owner may read it: chmod 600, and change its secrets"
                    raise ConfigError(text, code=Reason.SECRETS_EXPOSED)
                return dict(orjson.loads(stream.read()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no JSON object"
            raise ConfigError(f"{self._path}: can't be read: {why}", code=Reason.SECRET_MISSING) from None

    def write(self, name: str, secret: str) -> None:
        """Keep a secret; the file is replaced as a whole, and several processes may do so at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            known = self.read()
            if known.get(name) == secret:
                return
            beside = self._path.with_suffix(".new")
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(orjson.dumps({**known, name: secret}))
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(self._path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self._path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, _PRIVATE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
