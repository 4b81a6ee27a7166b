"""The project's provider information for Airflow: connection types with their forms, asset addresses and links.

Airflow finds it through the entry point in ``pv_testing_provider-*.dist-info``, which needs the plugins folder on
``PYTHONPATH`` and no build. The forms are data, so that the UI draws them without importing a hook. Their fields have
the names of the keys in ``config/integrations.yaml``; a field that is filled in wins over the file.
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
            _system("framework", "PV Testing Framework", "https://api.test-protocols.io/api/v1"),
            _system(
                "lims",
                "PV Testing LIMS",
                "https://lims.company.com/api/v2",
                "sample_url",
                "Sample page",
                "samples/{id}",
            ),
            _system(
                "qms", "PV Testing QMS", "https://qms.company.com/api", "nc_url", "Non-conformance page", "nc/{id}"
            ),
            _system("pm", "PV Testing PM", "https://pm.company.com/api", "task_url", "Task page", "tasks/{id}"),
            _system(
                "erp", "PV Testing ERP", "https://erp.company.com/api", "invoice_url", "Invoice page", "invoices/{id}"
            ),
            _LEDGER,
            _WEBHOOK,
        ],
        "extra-links": [
            f"operators.links.{link}" for link in ("SampleLink", "NonConformanceLink", "TaskLink", "InvoiceLink")
        ],
        "asset-uris": [
            {"schemes": ["pv"], "handler": None, "to_openlineage_converter": "hooks.assets.to_openlineage"},
        ],
        "triggers": [
            {"integration-name": "PV testing", "python-modules": ["triggers.receipt", "triggers.certificates"]}
        ],
    }


NOT_THE_FRAMEWORKS = ("login", "wsse", "wsse_digest", "soap_arguments", "starlims")
"""Ways of authenticating that the framework's API doesn't have."""


def _text(label: str, description: str, **schema: Any) -> Field:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _fields(system: str) -> dict[str, Field]:
    """Return the form of a system: the titled keys of its section in the configuration."""
    from pv_testing.config.sections import SystemSection

    hidden = {"provider"} if system == "framework" else set()
    return {
        name: _field(system, name, field.title, field.description or "")
        for name, field in SystemSection.model_fields.items()
        if field.title and name not in hidden
    }


def _field(system: str, name: str, title: str, description: str) -> Field:
    from pv_testing.config.sections import AUTH_TYPES, LOGIN, PASSWORD, SECRETS, default_auth_type

    schema: dict[str, Any] = {"format": "password"} if name in SECRETS else {}
    if name == "auth_type":
        first = default_auth_type(system, {})
        left_out = {first, "none", *(NOT_THE_FRAMEWORKS if system == "framework" else ())}
        schema = {"enum": [first, *(way for way in AUTH_TYPES if way not in left_out)]}
    for standard, keys in (("login", LOGIN), ("password", PASSWORD)):
        if name in keys.values():
            description = f"{description.rstrip('.')}; the {standard} field is used where this is empty."
    return _text(title, description, **schema)


def _system(system: str, title: str, address: str, *page: str) -> dict[str, Any]:
    """Return a connection type.

    Args:
        system: ``lims`` and so on.
        title: its name in the list of types.
        address: an example of its base URL.
        page: of the page where a person sees a record: key, label, and an example that counts from the server's root.
    """
    fields = _fields(system)
    if page:
        key, label, path = page
        example = f"{address.partition('/api')[0]}/{path}"
        fields[key] = _text(label, f"Where a person sees it, for links: {example}.", format="url")
    return {
        "connection-type": f"pv_{system}",
        "hook-name": title,
        "hook-class-name": HOOKS[system],
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {"host": "Base URL", "login": "User", "password": "Password"},
            "placeholders": {"host": address},
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
