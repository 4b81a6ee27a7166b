"""Runs the guide's samples of one system as a program would: once, in a process of its own that ends afterwards."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tests.guide import test_erp_samples, test_lims_samples, test_pm_samples, test_qms_samples


def lims(names: dict[str, Any], _: str) -> None:
    """Create the samples of a request, and upload a result."""
    sr = test_lims_samples.service_request("SR-PROCESS")
    names["on_service_request_created"](sr)
    names["sync_results_to_lims"](test_lims_samples.execution(sr.modules[0]))


def qms(names: dict[str, Any], _: str) -> None:
    """Report a failure, raise a CAPA, log an event."""
    data = test_qms_samples.data
    names["Execution"] = SimpleNamespace(objects=test_qms_samples.Failures(6))
    names["is_critical_test"] = lambda execution: data(execution)["severity"] == "MAJOR"
    names["generate_nc_description"] = lambda execution: data(execution)["description"]
    names["extract_failure_mode"] = lambda execution: data(execution)["immediate_cause"]
    names["analyze_conditions"] = lambda execution: data(execution)["contributing_factors"]
    names["generate_ca_recommendations"] = lambda execution: data(execution)["proposed_corrective_action"]
    names["handle_test_failure"](test_qms_samples.execution("FAIL"))
    names["analyze_recurring_failures"]()


def pm(names: dict[str, Any], _: str) -> None:
    """Create the tasks of a request, say that one is done, enter its hours."""
    names["find_available_operator"] = lambda _: "jane.doe@lab.example"
    names["calculate_actual_hours"] = names["calculate_duration_hours"] = lambda _: 2.0
    names["calculate_sr_progress"] = lambda _: 50.0
    sr = test_pm_samples.service_request("SR-PROCESS")
    names["create_pm_tasks"](sr)
    run = test_pm_samples.execution(sr, 0)
    names["on_execution_complete"](run)
    names["log_resource_usage"](run)


def erp(names: dict[str, Any], customer: str) -> None:
    """Bill a request."""
    names["generate_invoice"](test_erp_samples.service_request("SR-PROCESS", customer, 500, 3000))


def main() -> None:
    """Define what the samples define, and call it."""
    system, replaced, detail = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    module = {"lims": test_lims_samples, "qms": test_qms_samples, "pm": test_pm_samples, "erp": test_erp_samples}[
        system
    ]
    text = module.PRINTED
    for printed, meant in replaced:
        text = text.replace(printed, meant)
    names: dict[str, Any] = {"retry": test_lims_samples.retry, "datetime": datetime, "timedelta": timedelta}
    exec(compile(text, "integration guide", "exec"), names)  # the guide's own words are what is tested
    {"lims": lims, "qms": qms, "pm": pm, "erp": erp}[system](names, detail)


if __name__ == "__main__":
    main()
