"""The field-mapped shape of results that file-based and older LIMS read, as the integration guide prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DataTransformer:
    """Turns records of the framework into the guide's shapes, for programs of your own.

    No workflow calls it: what a LIMS is sent is said by the maps of its contract, and changing this class changes no
    record.
    """

    @staticmethod
    def transform_for_lims(internal_data: Mapping[str, Any]) -> dict[str, Any]:
        """Return results in the shape ``LabSampleID`` / ``TestMethod`` / ``Results``.

        Args:
            internal_data: ``module.serial_number``, ``protocol.standard`` and ``measurements`` by name.

        Raises:
            KeyError: one of them is missing.
        """
        return {
            "LabSampleID": internal_data["module"]["serial_number"],
            "TestMethod": internal_data["protocol"]["standard"],
            "Results": [_result(analyte, measured) for analyte, measured in internal_data["measurements"].items()],
        }


def _result(analyte: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Analyte": analyte,
        "Value": measured["value"],
        "Units": measured["unit"],
        "Status": "Pass" if measured.get("qc_status") == "PASS" else "Fail",
    }
