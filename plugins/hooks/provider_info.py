"""What Airflow is told of the project: connection types with their forms, asset addresses and links.

Airflow finds it through the entry point in ``pv_testing_provider-*.dist-info``, which needs the plugins folder on
``PYTHONPATH`` and no build. The forms are data, so that the UI draws them without importing a hook. Their fields have
the names of the keys in ``config/integrations.yaml``; what is filled in wins over the file.
"""

from __future__ import annotations

from typing import Any

Field = dict[str, Any]

HOOKS = {
    "framework": "hooks.framework.FrameworkHook",
    "lims": "hooks.lims.LIMSHook",
    "qms": "hooks.qms.QMSHook",
    "pm": "hooks.pm.PMHook",
    "erp": "hooks.erp.ERPHook",
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider information, as Airflow's ``provider_info.schema.json`` describes it."""
    return {
        "package-name": "pv-testing-provider",
        "name": "PV testing",
        "description": "Carries the records of photovoltaic test laboratories between their systems.",
        "connection-types": [
            _system("framework", "PV Testing Framework", "https://api.test-protocols.io/api/v1", _FRAMEWORK),
            _system("lims", "PV Testing LIMS", "https://lims.company.com/api/v2", _LIMS),
            _system("qms", "PV Testing QMS", "https://qms.company.com/api", _QMS),
            _system("pm", "PV Testing PM", "https://pm.company.com/api", _PM),
            _system("erp", "PV Testing ERP", "https://erp.company.com/api", _ERP),
            _LEDGER,
            _WEBHOOK,
        ],
        "extra-links": [
            f"operators.links.{link}" for link in ("SampleLink", "NonConformanceLink", "TaskLink", "InvoiceLink")
        ],
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
    "provider": _text("Provider", "The product, such as SENAITE, Redmine, Tryton or Custom; else the file's."),
    "contract": _text("Contract", "A contract in include/mappings, without its ending; else the provider's own."),
}
_FRAMEWORK: dict[str, Field] = {
    "auth_type": _text(
        "Authentication", "How it knows us.", enum=["jwt", "bearer", "basic", "api_key", "oauth2", "mtls"]
    ),
    "contract": _PRODUCT["contract"],
    **_AUTHENTICATION,
}


def _fields(system: str, page: str, title: str, example: str) -> dict[str, Field]:
    """Return the form of a system whose product can be chosen, with the page where a person sees a record."""
    ways = ["api_key", "oauth2", "basic", "bearer", "jwt", "login", "mtls"]
    return {
        "auth_type": _text("Authentication", f"How the {system} knows us.", enum=ways),
        **_PRODUCT,
        **_AUTHENTICATION,
        page: _text(title, f"Where a person sees it, for links: {example}.", format="url"),
    }


_LIMS = _fields("LIMS", "sample_url", "Sample page", "https://lims.company.com/samples/{id}")
_QMS = _fields("QMS", "nc_url", "Non-conformance page", "https://qms.company.com/nc/{id}")
_PM = _fields("project management", "task_url", "Task page", "https://pm.company.com/tasks/{id}")
_ERP = _fields("ERP", "invoice_url", "Invoice page", "https://erp.company.com/invoices/{id}")


def _system(system: str, title: str, example: str, fields: dict[str, Field]) -> dict[str, Any]:
    return {
        "connection-type": f"pv_{system}",
        "hook-name": title,
        "hook-class-name": HOOKS[system],
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {"host": "Base URL", "login": "User", "password": "Password"},
            "placeholders": {"host": example},
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

_WEBHOOK: dict[str, Any] = {
    "connection-type": "pv_webhook",
    "hook-name": "PV Testing webhook",
    "hook-class-name": "hooks.webhooks.WebhookHook",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port", "login"],
        "relabeling": {"host": "Endpoint", "password": "Secret"},
        "placeholders": {"host": "https://your-system.com/webhook; empty for a sender"},
    },
    "conn-fields": {
        "events": _text(
            "Events", "What it is told of, separated by spaces, such as protocol.completed invoice.*; else *."
        ),
    },
}
