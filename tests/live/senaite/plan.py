"""What the laboratory of the live tests has in its SENAITE: clients, analysis services and users."""

from __future__ import annotations

from typing import Any

from pv_testing.contracts.load import load_contract
from sandbox.catalogue import protocols
from sandbox.seed import CUSTOMERS

ADMIN, ADMIN_PASSWORD = "admin", "live-admin"
INTEGRATION, INTEGRATION_PASSWORD = "integration", "live-Integration-1"
VERIFIER, VERIFIER_PASSWORD = "verifier", "live-Verifier-1"
GUEST, GUEST_PASSWORD = "guest", "live-Guest-1"


def plan() -> dict[str, Any]:
    """Return what the seed makes: an analysis service for each analyte that the contract names."""
    contract = load_contract("lims_senaite")
    return {
        "admin": ADMIN,
        "admin_password": ADMIN_PASSWORD,
        "clients": [
            {"id": f"C{place}", "name": name, "firstname": "Maria", "surname": "Keller"}
            for place, name in enumerate((*CUSTOMERS, "Solar Corporation"), start=1)
        ],
        "sample_type": contract.names["sample_type"],
        "services": [service(name, keyword) for name, keyword in contract.vocabularies["analytes"].to_external.items()],
        "users": [
            {"name": INTEGRATION, "password": INTEGRATION_PASSWORD, "groups": ["LabClerks", "Analysts"]},
            {"name": VERIFIER, "password": VERIFIER_PASSWORD, "groups": ["LabManagers"]},
            {"name": GUEST, "password": GUEST_PASSWORD, "groups": []},
        ],
    }


def service(name: str, keyword: str) -> dict[str, str]:
    """Return the analysis service of an analyte such as ``PVTP-001/Pmax``."""
    protocol, _, parameter = name.partition("/")
    return {
        "keyword": keyword,
        "title": f"{parameter.replace('_', ' ')} ({protocol})",
        "category": f"{protocol} {protocols()[protocol].name}",
        "unit": UNITS[parameter],
    }


# The laboratory's own units, written down apart from the contract's, so that a difference would be found.
UNITS = {
    "Pmax": "W",
    "Voc": "V",
    "Isc": "A",
    "Vmp": "V",
    "Imp": "A",
    "Fill_Factor": "%",
    "Efficiency": "%",
    "NOCT": "°C",
    "Pmax_NOCT": "W",
    "Temperature_Coefficient_Pmax": "%/°C",
    "Pmax_Low_Irradiance": "W",
    "Efficiency_Low_Irradiance": "%",
    "Linearity_Deviation": "%",
    "Insulation_Resistance": "MΩ·m²",
    "Wet_Insulation_Resistance": "MΩ·m²",
    "Test_Voltage": "V",
    "Leakage_Current": "µA",
    "Pmax_Initial": "W",
    "Pmax_Final": "W",
    "Power_Degradation": "%",
    "Test_Load": "Pa",
    "Deflection": "mm",
    "Recovery": "%",
    "Major_Defects": "count",
    "Minor_Defects": "count",
    "Bubble_Area": "cm²",
    "Crack_Count": "count",
    "Inactive_Area": "%",
    "Cell_Uniformity": "%",
}
