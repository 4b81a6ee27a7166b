"""The settings of a sandbox, and the credentials that it hands out."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path


def _secret() -> str:
    return secrets.token_urlsafe(18)


@dataclass(frozen=True)
class Credentials:
    """The credentials of the sandbox's callers; random unless they are given.

    Attributes:
        framework_username: a user of the framework with the permissions that the integration needs.
        framework_viewer: a user who may only read.
        lims_api_key: all scopes, for the ``X-API-Key`` header.
        lims_reader_key: reading only.
        lims_username: for HTTP basic authentication, all scopes.
        lims_client_id: for OAuth 2.0 client credentials, all scopes.
        qms_username: for HTTP basic authentication, all scopes.
        qms_client_id: for OAuth 2.0 client credentials, all scopes.
        pm_token: all scopes, as a bearer token.
        pm_reader_token: reading only.
        erp_client_id: for OAuth 2.0 client credentials, all scopes.
        sandbox_key: for ``X-Sandbox-Key``.
    """

    framework_username: str = "integration"
    framework_password: str = field(default_factory=_secret)
    framework_viewer: str = "auditor"
    framework_viewer_password: str = field(default_factory=_secret)
    lims_api_key: str = field(default_factory=_secret)
    lims_reader_key: str = field(default_factory=_secret)
    lims_username: str = "integration"
    lims_password: str = field(default_factory=_secret)
    lims_client_id: str = "pv-testing"
    lims_client_secret: str = field(default_factory=_secret)
    qms_username: str = "integration_user"
    qms_password: str = field(default_factory=_secret)
    qms_client_id: str = "pv-testing"
    qms_client_secret: str = field(default_factory=_secret)
    pm_token: str = field(default_factory=_secret)
    pm_reader_token: str = field(default_factory=_secret)
    erp_client_id: str = "pv-testing"
    erp_client_secret: str = field(default_factory=_secret)
    sandbox_key: str = field(default_factory=_secret)

    @classmethod
    def kept(cls, data: Path) -> Credentials:
        """Return the credentials of a sandbox directory, made and kept there the first time."""
        path = data / "credentials.json"
        if path.exists():
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        made = cls()
        data.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(made), indent=1), encoding="utf-8")
        return made


@dataclass(frozen=True)
class Naive:
    """A LIMS that believes whatever it is told; see ``sandbox/README.md``.

    Attributes:
        lag: seconds after which look-ups see a new record.
        cache: seconds for which a shared cache in front of it answers the same ``GET``; 0 for none.
    """

    lag: float = 0.0
    cache: float = 0.0


@dataclass(frozen=True)
class Settings:
    """One sandbox.

    Attributes:
        data: directory of its databases and credentials.
        framework_port: 0 for any free one; the same for the other systems' ports.
        token_lifetime: seconds for which a token is valid.
        idempotency: whether the LIMS honours ``Idempotency-Key``.
        rate_limit: requests an hour that the framework grants each user; 0 for no limit.
        naive: makes the LIMS a naive one.
    """

    data: Path
    framework_port: int = 0
    lims_port: int = 0
    qms_port: int = 0
    pm_port: int = 0
    erp_port: int = 0
    token_lifetime: float = 3600.0
    idempotency: bool = False
    rate_limit: int = 1_000_000
    naive: Naive | None = None

    def database(self, system: str) -> Path:
        """Return a system's SQLite file."""
        return self.data / f"{system}.sqlite"
