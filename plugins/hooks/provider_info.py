"""What Airflow is told of the project: connection types with their forms, asset addresses and links.

Airflow finds it through the entry point in ``pv_testing_provider-*.dist-info``, which needs the plugins folder on
``PYTHONPATH`` and no build. The forms are data, so that the UI draws them without importing a hook. Their fields have
the names of the keys in ``config/integrations.yaml``; what is filled in wins over the file.
"""

from __future__ import annotations

from typing import Any

Field = dict[str, Any]


def get_provider_info() -> dict[str, Any]:
    """Return the provider information, as Airflow's ``provider_info.schema.json`` describes it."""
    return {
        "package-name": "pv-testing-provider",
        "name": "PV testing",
        "description": "Carries the records of photovoltaic test laboratories between their systems.",
        "connection-types": [
            _system("pv_framework", "PV Testing Framework", "hooks.framework.FrameworkHook", _FRAMEWORK),
            _system("pv_lims", "PV Testing LIMS", "hooks.lims.LIMSHook", _LIMS),
            _LEDGER,
        ],
        "extra-links": ["operators.links.SampleLink"],
        "asset-uris": [
            {"schemes": ["pv"], "handler": None, "to_openlineage_converter": "hooks.assets.to_openlineage"},
        ],
        "triggers": [{"integration-name": "PV testing", "python-modules": ["triggers.receipt"]}],
    }


def _text(label: str, description: str, **schema: Any) -> Field:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _secret(label: str, description: str) -> Field:
    return _text(label, description, format="password")


_AUTHENTICATION: dict[str, Field] = {
    "api_key": _secret("API key", "For api_key; the password field is used where this is empty."),
    "api_key_header": _text("API key header", "The header that carries the key; X-API-Key where this is empty."),
    "client_id": _text("Client id", "For oauth2; the login field is used where this is empty."),
    "client_secret": _secret("Client secret", "For oauth2; the password field is used where this is empty."),
    "token_url": _text("Token URL", "For oauth2: where tokens are fetched."),
    "scopes": _text("Scopes", "For oauth2: what the token is to allow, separated by spaces."),
    "client_cert": _text("Client certificate", "For mutual TLS, alone or with another type: path of the PEM file."),
    "client_key": _text("Client key", "Path of the PEM file with the certificate's key."),
    "ca_cert": _text("CA certificate", "Path of the PEM file that the server is verified with."),
}
_PRODUCT: dict[str, Field] = {
    "provider": _text("Provider", "The product: LabWare, StarLIMS, LabVantage, SENAITE or Custom; else the file's."),
    "contract": _text("Contract", "A contract in include/mappings, without its ending; else the provider's own."),
}
_FRAMEWORK: dict[str, Field] = {
    "auth_type": _text(
        "Authentication", "How it knows us.", enum=["jwt", "bearer", "basic", "api_key", "oauth2", "mtls"]
    ),
    "contract": _PRODUCT["contract"],
    **_AUTHENTICATION,
}
_LIMS: dict[str, Field] = {
    "auth_type": _text(
        "Authentication", "How the LIMS knows us.", enum=["api_key", "oauth2", "basic", "bearer", "jwt", "mtls"]
    ),
    **_PRODUCT,
    **_AUTHENTICATION,
    "sample_url": _text(
        "Sample page", "Where a person sees a sample, for links: https://lims.company.com/samples/{id}.", format="url"
    ),
}


def _system(conn_type: str, title: str, hook: str, fields: dict[str, Field]) -> dict[str, Any]:
    return {
        "connection-type": conn_type,
        "hook-name": title,
        "hook-class-name": hook,
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {"host": "Base URL", "login": "User", "password": "Password"},
            "placeholders": {"host": "https://lims.company.com/api/v2"},
        },
        "conn-fields": fields,
    }


_LEDGER: dict[str, Any] = {
    "connection-type": "pv_ledger",
    "hook-name": "PV Testing ledger",
    "hook-class-name": "hooks.ledger.LedgerHook",
    "ui-field-behaviour": {
        "hidden-fields": [],
        "relabeling": {"host": "PostgreSQL host", "schema": "Database", "login": "User"},
        "placeholders": {"host": "leave empty for a SQLite file", "port": "5432"},
    },
    "conn-fields": {
        "path": _text("SQLite file", "Where no PostgreSQL host is given; pv_ledger.sqlite in the Airflow home else."),
        "sslmode": _text("TLS", "For PostgreSQL.", enum=["require", "verify-ca", "verify-full", "prefer", "disable"]),
    },
}
