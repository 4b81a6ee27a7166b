"""The datasets that records come from and go to, by the names that assets and OpenLineage have for them.

A dataset is named ``SYSTEM/NAME``; its asset is ``pv://SYSTEM/NAME``.
"""

from __future__ import annotations

from collections.abc import Mapping

SERVICE_REQUESTS = "framework/service_requests"
EXECUTIONS = "framework/executions"
PROTOCOLS = "framework/protocols"
USERS = "framework/users"
FRAMEWORK_EVENTS = "framework/audit_events"
STATUSES = "framework/statuses"
SAMPLES = "lims/samples"
RESULTS = "lims/results"
NON_CONFORMANCES = "qms/non_conformances"
CAPAS = "qms/capas"
ATTACHMENTS = "qms/attachments"
QMS_EVENTS = "qms/audit_events"
TASKS = "pm/tasks"
PROGRESS = "pm/progress"
HOURS = "pm/hours"
CUSTOMERS = "erp/customers"
INVOICES = "erp/invoices"
CREDIT_NOTES = "erp/credit_notes"
STOCK = "erp/stock"
LEDGER_EVENTS = "ledger/audit_events"
FINDINGS = "ledger/findings"
PRICES = "files/prices"
E_INVOICES = "files/e_invoices"
EXPORTS = "files/exports"
DROPPED_FILES = "files/dropped"
CERTIFICATES = "files/certificates"
CERTIFICATE_REQUESTS = "lims/certificates"
IMPORTED_ROWS = "ledger/imported_rows"
EVENTS = "ledger/events"
RECEIVED_EVENTS = "ledger/received_events"
DELIVERIES = "webhooks/deliveries"

ABOUT: Mapping[str, str] = {
    SERVICE_REQUESTS: "Service requests: customer, modules, assigned protocols, status",
    EXECUTIONS: "Executions of protocols on modules, with their measurements and criteria",
    PROTOCOLS: "The framework's test protocols",
    USERS: "The framework's users, for their addresses",
    FRAMEWORK_EVENTS: "The framework's own audit events",
    STATUSES: "Statuses of service requests that the project has set",
    SAMPLES: "Samples in the LIMS, one for each module with a serial number",
    RESULTS: "Result sets in the LIMS, one for each completed execution",
    NON_CONFORMANCES: "Non-conformances in the QMS, one for each failed execution",
    CAPAS: "CAPAs in the QMS, each approved by a person",
    ATTACHMENTS: "Evidence and charts of CAPAs",
    QMS_EVENTS: "Audit events that the QMS was told",
    TASKS: "Tasks and subtasks in project management, and how far they are",
    PROGRESS: "Progress of projects in percent",
    HOURS: "Hours of operators and of equipment in project management",
    CUSTOMERS: "Customers in the ERP",
    INVOICES: "Invoices in the ERP, one for each approved service request",
    CREDIT_NOTES: "Credit notes for tests that were withdrawn after the invoice",
    STOCK: "Movements of modules and consumables in the ERP's stock",
    LEDGER_EVENTS: "The audit trail of the ledger",
    FINDINGS: "Findings of failures that recur, and the decisions on them, in the ledger",
    PRICES: "The price list of the laboratory",
    E_INVOICES: "Posted invoices as EN 16931 XML",
    EXPORTS: "Tables that are exported as files",
    DROPPED_FILES: "Files that the LIMS and the ERP have dropped",
    CERTIFICATES: "Certificates of approved samples, as files",
    CERTIFICATE_REQUESTS: "Certificates that the LIMS was asked for",
    IMPORTED_ROWS: "Rows of imported files, in the ledger",
    EVENTS: "Events that registered endpoints are told of",
    RECEIVED_EVENTS: "Events of the systems, verified",
    DELIVERIES: "Deliveries of events to registered endpoints",
}

TARGETS: Mapping[str, str] = {
    "sample": SAMPLES,
    "sample_status": SAMPLES,
    "result": RESULTS,
    "sr_status": STATUSES,
    "nc": NON_CONFORMANCES,
    "capa": CAPAS,
    "attachment": ATTACHMENTS,
    "audit_event": QMS_EVENTS,
    "task": TASKS,
    "subtask": TASKS,
    "task_status": TASKS,
    "progress": PROGRESS,
    "time_entry": HOURS,
    "resource_usage": HOURS,
    "customer": CUSTOMERS,
    "invoice": INVOICES,
    "invoice_posting": INVOICES,
    "credit_note": CREDIT_NOTES,
    "stock_movement": STOCK,
    "consumable": STOCK,
    "write_e_invoice": E_INVOICES,
}
"""Where the records of a kind go."""


def target_of(system: str, kind: str) -> str:
    """Return the dataset that records of a kind go to; one of its own for a kind of a site's own contract.

    Args:
        system: such as ``lims``.
        kind: as the contract calls it, such as ``sample``.
    """
    return TARGETS.get(kind, f"{system}/{kind}")
