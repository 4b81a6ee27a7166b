"""``python3 -m cluster.secrets FOLDER``: make the files of secrets of ``compose.yaml``, with the standard library.

A file that is there already is kept, so that the command can be repeated.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any

USERS = ("admin", "quality")
"""The administrator, and the quality manager, who approves findings: two, because of four eyes."""
IMAGE_USER = 50000
"""As whom the containers run where the caller is root."""
SANDBOX_PORTS = {"framework": 8001, "lims": 8002, "qms": 8003, "pm": 8004, "erp": 8005}
API_PATHS = {"framework": "/api/v1", "lims": "/api/v2", "qms": "/api", "pm": "/api", "erp": "/api"}
KEYS = {"framework": "framework_password", "lims": "lims_api_key", "qms": "qms_client_secret", "pm": "pm_token"}
LOGINS = {"framework": "integration", "qms": "pv-testing", "erp": "pv-testing"}
AUTHENTICATION = {"framework": "jwt", "lims": "api_key", "qms": "oauth2", "pm": "bearer", "erp": "oauth2"}


@dataclass(frozen=True)
class Addresses:
    """Where the other processes are; the defaults are the names of ``compose.yaml``.

    Attributes:
        postgres: host and port of PostgreSQL.
        redis: host and port of Redis.
        metadata: the name of Airflow's database.
        ledger: the name of the ledger's database.
        sandbox: the address of each of the sandbox's systems, where they are used.
    """

    postgres: str = "postgres:5432"
    redis: str = "redis:6379"
    metadata: str = "airflow"
    ledger: str = "pv_ledger"
    sandbox: Mapping[str, str] = field(default_factory=dict)


def sandbox_at(host: str) -> dict[str, str]:
    """Return the addresses of the sandbox's systems on a host, with the ports of ``compose.yaml``."""
    return {system: f"http://{host}:{port}" for system, port in SANDBOX_PORTS.items()}


def write(folder: Path, addresses: Addresses) -> list[str]:
    """Write what is missing in a folder that only its owner reads, and return the names of the new files.

    Args:
        folder: of the files; it is made where it is missing.
        addresses: of the other processes.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = [name for name, text in _made().items() if _keep(folder / name, text)]
    known = {name: (folder / name).read_text(encoding="utf-8") for name in ("postgres_password", "redis_password")}
    sandbox = json.loads((folder / "sandbox.json").read_text(encoding="utf-8"))
    return new + [name for name, text in _derived(known, sandbox, addresses).items() if _keep(folder / name, text)]


def _made() -> dict[str, str]:
    """Return fresh random secrets by the names of their files."""
    keys = (*KEYS.values(), "erp_client_secret", "sandbox_key")
    return {
        "postgres_password": token_urlsafe(24),
        "redis_password": token_urlsafe(24),
        "fernet_key": base64.urlsafe_b64encode(token_bytes(32)).decode(),
        "api_secret_key": token_urlsafe(48),
        "jwt_secret": token_urlsafe(64),
        "users.json": json.dumps({user: token_urlsafe(18) for user in USERS}),
        "sandbox.json": json.dumps({key: token_urlsafe(24) for key in keys}),
    }


def _derived(known: Mapping[str, str], sandbox: Mapping[str, str], addresses: Addresses) -> dict[str, str]:
    """Return what is made of the passwords: addresses and connections."""
    database = f"airflow:{known['postgres_password']}@{addresses.postgres}/{addresses.metadata}"
    return {
        "database_url": f"postgresql+psycopg://{database}",
        "result_backend": f"db+postgresql+psycopg://{database}",
        "broker_url": f"redis://:{known['redis_password']}@{addresses.redis}/0",
        "connections.json": json.dumps(connections(known["postgres_password"], sandbox, addresses), indent=2) + "\n",
    }


def connections(password: str, sandbox: Mapping[str, str], addresses: Addresses) -> dict[str, dict[str, Any]]:
    """Return the Airflow connections by their ids: to the ledger, and to the sandbox or to addresses to be filled in.

    Args:
        password: of PostgreSQL.
        sandbox: its credentials.
        addresses: of the other processes.
    """
    host, _, port = addresses.postgres.partition(":")
    ledger = {"host": host, "port": int(port), "schema": addresses.ledger, "login": "airflow", "password": password}
    secrets = {**{system: sandbox[key] for system, key in KEYS.items()}, "erp": sandbox["erp_client_secret"]}
    systems = {f"pv_{system}": _connection(system, secrets[system], addresses.sandbox) for system in SANDBOX_PORTS}
    return {"pv_ledger": {"conn_type": "pv_ledger", **ledger}, **systems}


def _connection(system: str, secret: str, sandbox: Mapping[str, str]) -> dict[str, Any]:
    """Return the connection to one system of the sandbox, or a pattern of one where there is no sandbox."""
    at = sandbox.get(system)
    login = {"login": LOGINS[system] if at else "YOUR USER OR CLIENT ID"} if system in LOGINS else {}
    return {
        "conn_type": f"pv_{system}",
        "host": (at or f"https://{system}.company.com") + API_PATHS[system],
        **login,
        "password": secret if at else "YOUR PASSWORD, KEY OR TOKEN",
        "extra": {"auth_type": AUTHENTICATION[system], **({"allow_http": True} if at else {})},
    }


def _keep(path: Path, text: str) -> bool:
    """Write a file that only its owner reads, and return whether it was missing."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
        sink.write(text)
    return True


def main() -> int:
    """Write the files, and say which are new and what comes next."""
    parser = argparse.ArgumentParser(prog="python3 -m cluster.secrets", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files are written, such as deploy/secrets")
    parser.add_argument("--sandbox", action="store_true", help="connect to the sandbox's systems, not to yours")
    parser.add_argument("--sandbox-host", default="sandbox", help="where it is (sandbox, its name in compose.yaml)")
    parser.add_argument("--postgres", default=Addresses.postgres, help="host:port of PostgreSQL (postgres:5432)")
    parser.add_argument("--redis", default=Addresses.redis, help="host:port of Redis (redis:6379)")
    asked = parser.parse_args()
    sandbox = sandbox_at(asked.sandbox_host) if asked.sandbox else {}
    new = write(asked.folder, Addresses(postgres=asked.postgres, redis=asked.redis, sandbox=sandbox))
    if os.getuid() == 0:
        for path in (asked.folder, *asked.folder.iterdir()):
            os.chown(path, IMAGE_USER, 0)
    print(f"new in {asked.folder}: {', '.join(new) or 'nothing; every file was there already'}")
    if _keep(Path(".env"), f"AIRFLOW_UID={os.getuid() or IMAGE_USER}\n"):
        print("new: .env, by which the containers run as you and can read these files")
    if not asked.sandbox:
        print(f"Fill in the addresses and secrets of your systems in {asked.folder / 'connections.json'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
