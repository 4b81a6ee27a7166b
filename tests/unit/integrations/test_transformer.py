"""Shows the guide's transformer, with the guide's shapes."""

from __future__ import annotations

from pv_testing.integrations.transformer import DataTransformer


def test_transform_for_lims():
    data = {
        "module": {"serial_number": "SN001"},
        "protocol": {"standard": "IEC 61215-1:2021"},
        "measurements": {
            "Pmax": {"value": 398.5, "unit": "W", "qc_status": "PASS"},
            "Voc": {"value": 48.2, "unit": "V"},
        },
    }
    assert DataTransformer.transform_for_lims(data) == {
        "LabSampleID": "SN001",
        "TestMethod": "IEC 61215-1:2021",
        "Results": [
            {"Analyte": "Pmax", "Value": 398.5, "Units": "W", "Status": "Pass"},
            {"Analyte": "Voc", "Value": 48.2, "Units": "V", "Status": "Fail"},
        ],
    }
