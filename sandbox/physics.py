"""Plausible measurements: a module has a true state, tests see it with their uncertainty, and a failure has a cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from random import Random
from typing import Any

from sandbox.catalogue import Protocol
from sandbox.chance import chance

NAMEPLATE = 400.0
AREA = 1.98
CURVE_POINTS = 101
_DAMP, _DRIFT = 53.0, 38.0
Outcome = tuple[dict[str, Any], list[dict[str, Any]]]


@dataclass(frozen=True)
class ModuleState:
    """A module's true state under standard test conditions: V, A, and the fill factor in percent."""

    voc: float
    isc: float
    fill_factor: float

    @property
    def pmax(self) -> float:
        """Maximum power in W: Voc × Isc × FF."""
        return self.voc * self.isc * self.fill_factor / 100


def new_module(random: Random) -> ModuleState:
    """Return a 400 W module as it leaves a good factory."""
    return ModuleState(random.gauss(49.52, 0.12), random.gauss(10.24, 0.03), random.gauss(79.4, 0.3))


def value(number: float, unit: str, uncertainty: float | None = None, digits: int = 2) -> dict[str, Any]:
    """Return one measurement in the framework's form."""
    measured: dict[str, Any] = {"value": round(number, digits), "unit": unit}
    if uncertainty is not None:
        measured["uncertainty"] = uncertainty
    return measured


def criterion(parameter: str, expected: str, tolerance: str, measured: float, *, passed: bool) -> dict[str, Any]:
    """Return one pass/fail criterion in the framework's form."""
    return {
        "parameter": parameter,
        "expected": expected,
        "tolerance": tolerance,
        "measured": measured,
        "result": "PASS" if passed else "FAIL",
    }


def power_at_stc(module: ModuleState, random: Random, *, fails: bool) -> Outcome:
    """PVTP-001: a cracked cell lowers the fill factor and with it the power."""
    fill_factor = module.fill_factor - (random.uniform(4.5, 9.0) if fails else 0.0)
    voc, isc = round(module.voc, 2), round(module.isc, 2)
    pmax = round(voc * isc * fill_factor / 100, 1)
    imp = round(isc * 0.945, 2)
    measurements = {
        "Pmax": value(pmax, "W", 1.2, 1),
        "Voc": value(voc, "V", 0.05),
        "Isc": value(isc, "A", 0.03),
        "Vmp": value(pmax / imp, "V", 0.05),
        "Imp": value(imp, "A", 0.03),
    }
    passed = -3.0 <= (pmax / NAMEPLATE - 1) * 100 <= 5.0
    return measurements, [criterion("Pmax", f"{NAMEPLATE:g} W", "-3/+5 %", pmax, passed=passed)]


def iv_curve(measurements: dict[str, Any]) -> dict[str, Any] | None:
    """Return an I-V curve through the measured points, as the tracer gives it; ``None`` where they weren't measured."""
    voc, isc, vmp, imp = (measurements.get(name, {}).get("value") for name in ("Voc", "Isc", "Vmp", "Imp"))
    if not all(isinstance(each, (int, float)) for each in (voc, isc, vmp, imp)) or not (
        0 < vmp < voc and 0 < imp < isc
    ):
        return None
    bend = log(1 - imp / isc) / log(vmp / voc)
    voltage = [round(voc * step / (CURVE_POINTS - 1), 3) for step in range(CURVE_POINTS)]
    current = [round(isc * (1 - (each / voc) ** bend), 4) if each < voc else 0.0 for each in voltage]
    return {"voltage": voltage, "current": current, "units": {"voltage": "V", "current": "A"}, "points": CURVE_POINTS}


def nominal_temperature(module: ModuleState, random: Random, *, fails: bool) -> Outcome:
    """PVTP-002."""
    noct = random.uniform(61.0, 66.0) if fails else random.gauss(45.0, 0.8)
    gamma = random.gauss(-0.35, 0.008)
    measurements = {
        "NOCT": value(noct, "°C", 1.0, 1),
        "Pmax_NOCT": value(module.pmax * 0.8 * (1 + gamma / 100 * (noct - 25)), "W", 2.5, 1),
        "Temperature_Coefficient_Pmax": value(gamma, "%/°C", 0.01, 3),
    }
    noct = measurements["NOCT"]["value"]
    return measurements, [criterion("NOCT", "35 to 60 °C", "within", noct, passed=35 <= noct <= 60)]


def low_irradiance(module: ModuleState, random: Random, *, fails: bool) -> Outcome:
    """PVTP-003: a low shunt resistance costs most at 200 W/m²."""
    relative = random.uniform(0.86, 0.91) if fails else random.gauss(0.965, 0.006)
    power = round(module.pmax * 0.2 * relative, 2)
    measurements = {
        "Pmax_Low_Irradiance": value(power, "W", 0.4),
        "Efficiency_Low_Irradiance": value(power / (200 * AREA) * 100, "%", 0.1),
        "Linearity_Deviation": value((1 - relative) * 100, "%", 0.2),
    }
    deviation = measurements["Linearity_Deviation"]["value"]
    return measurements, [criterion("Linearity_Deviation", "at most 8 %", "max", deviation, passed=deviation <= 8)]


def dry_insulation(module: ModuleState, random: Random, *, fails: bool) -> Outcome:  # noqa: ARG001
    """PVTP-010."""
    resistance = round(random.uniform(40, 320) if fails else random.uniform(1500, 4200), 0)
    measurements = {
        "Insulation_Resistance": value(resistance, "MΩ·m²", 25.0, 0),
        "Test_Voltage": value(1000, "V", 5.0, 0),
    }
    return measurements, [
        criterion("Insulation_Resistance", "at least 400 MΩ·m²", "min", resistance, passed=resistance >= 400)
    ]


def wet_leakage(module: ModuleState, random: Random, *, fails: bool) -> Outcome:
    """PVTP-011: at most 1 µA for each kW of rated power."""
    limit = NAMEPLATE / 1000
    current = round(random.uniform(0.6, 1.9) if fails else random.uniform(0.05, 0.22), 3)
    resistance = dry_insulation(module, random, fails=False)[0]["Insulation_Resistance"]
    measurements = {"Leakage_Current": value(current, "µA", 0.02, 3), "Wet_Insulation_Resistance": resistance}
    return measurements, [
        criterion("Leakage_Current", f"at most {limit:g} µA", "max", current, passed=current <= limit)
    ]


def degradation(module: ModuleState, random: Random, *, fails: bool) -> Outcome:
    """Stress tests: power before and after, at most 5 % lost, and the insulation still good."""
    lost = random.uniform(5.6, 11.0) if fails else min(4.4, abs(random.gauss(1.4, 0.8)))
    before = round(module.pmax, 1)
    after = round(before * (1 - lost / 100), 1)
    loss = round((1 - after / before) * 100, 2)
    measurements = {
        "Pmax_Initial": value(before, "W", 1.2, 1),
        "Pmax_Final": value(after, "W", 1.2, 1),
        "Power_Degradation": value(loss, "%", 0.4),
        "Insulation_Resistance": value(random.uniform(900, 3500), "MΩ·m²", 25.0, 0),
    }
    return measurements, [criterion("Power_Degradation", "at most 5 %", "max", loss, passed=loss <= 5)]


def static_load(module: ModuleState, random: Random, *, fails: bool) -> Outcome:
    """PVTP-030: 2,400 Pa bend the module by some millimetres."""
    measurements, criteria = degradation(module, random, fails=False)
    del measurements["Insulation_Resistance"]
    deflection = round(random.uniform(31.5, 39.0) if fails else random.gauss(18.0, 1.5), 1)
    measurements["Test_Load"] = value(2400, "Pa", 20.0, 0)
    measurements["Deflection"] = value(deflection, "mm", 0.3, 1)
    return measurements, [
        *criteria,
        criterion("Deflection", "at most 30 mm", "max", deflection, passed=deflection <= 30),
    ]


def induced_degradation(module: ModuleState, random: Random, *, fails: bool) -> Outcome:
    """PVTP-038: the power lost under the potential and the power regained."""
    measurements, criteria = degradation(module, random, fails=fails)
    measurements["Recovery"] = value(random.uniform(92.0, 99.5), "%", 0.5, 1)
    return measurements, criteria


def visual(module: ModuleState, random: Random, *, fails: bool) -> Outcome:  # noqa: ARG001
    """PVTP-044: the inspector's counts of defects."""
    major = random.randint(1, 3) if fails else 0
    measurements = {
        "Major_Defects": value(major, "count", None, 0),
        "Minor_Defects": value(random.randint(0, 3), "count", None, 0),
        "Bubble_Area": value(random.uniform(0, 0.4), "cm²", 0.05),
    }
    return measurements, [criterion("Major_Defects", "none", "max", major, passed=major == 0)]


def electroluminescence(module: ModuleState, random: Random, *, fails: bool) -> Outcome:  # noqa: ARG001
    """PVTP-045: cracks and dark areas."""
    inactive = round(random.uniform(8.5, 14.0) if fails else random.uniform(0.0, 1.2), 2)
    measurements = {
        "Crack_Count": value(random.randint(4, 11) if fails else random.randint(0, 2), "count", None, 0),
        "Inactive_Area": value(inactive, "%", 0.2),
        "Cell_Uniformity": value(random.uniform(94.0, 99.0), "%", 0.5, 1),
    }
    return measurements, [criterion("Inactive_Area", "at most 8 %", "max", inactive, passed=inactive <= 8)]


_TESTS: dict[str, Callable[..., Outcome]] = {
    "PVTP-001": power_at_stc,
    "PVTP-002": nominal_temperature,
    "PVTP-003": low_irradiance,
    "PVTP-010": dry_insulation,
    "PVTP-011": wet_leakage,
    "PVTP-030": static_load,
    "PVTP-038": induced_degradation,
    "PVTP-044": visual,
    "PVTP-045": electroluminescence,
}
_BY_CATEGORY: dict[str, Callable[..., Outcome]] = {
    "Module Performance": power_at_stc,
    "Electrical Safety": dry_insulation,
    "Quality Control": electroluminescence,
}


def run_test(protocol: Protocol, module: ModuleState, random: Random, *, fails: bool) -> dict[str, Any]:
    """Return the results of a protocol on a module, as the framework shows them.

    Args:
        protocol: of the test.
        module: the module's true state.
        random: where the scatter comes from.
        fails: whether the module is to fail.
    """
    test = _TESTS.get(protocol.protocol_id) or _BY_CATEGORY.get(protocol.category, degradation)
    measurements, criteria = test(module, random, fails=fails)
    overall = "PASS" if all(each["result"] == "PASS" for each in criteria) else "FAIL"
    return {
        "measurements": measurements,
        "analysis": _analysis(measurements),
        "test_conditions": _conditions(random),
        "qc_status": overall,
        "pass_fail": {"overall": overall, "criteria": criteria},
    }


def declared(protocol: Protocol) -> list[dict[str, Any]]:
    """Return the measurements that a protocol declares: name, description, unit and whether each is required."""
    random = chance(protocol.protocol_id)
    measurements = run_test(protocol, new_module(random), random, fails=False)["measurements"]
    return [
        {"name": name, "description": name.replace("_", " "), "unit": each["unit"], "required": True}
        for name, each in measurements.items()
    ]


def _analysis(measurements: dict[str, Any]) -> dict[str, float]:
    if not {"Pmax", "Voc", "Isc"} <= measurements.keys():
        return {}
    pmax, voc, isc = (measurements[name]["value"] for name in ("Pmax", "Voc", "Isc"))
    return {"fill_factor": round(pmax / (voc * isc) * 100, 2), "efficiency": round(pmax / (1000 * AREA) * 100, 2)}


def _conditions(random: Random) -> dict[str, Any]:
    """Return the conditions of a test; on a damp day, one in ten, the lamp drifts."""
    irradiance, temperature = round(random.gauss(1000, 4), 1), round(random.gauss(25, 0.4), 1)
    humidity = round(random.uniform(35, 55), 1)
    if humidity > _DAMP:
        irradiance = round(irradiance + _DRIFT, 1)
    return {
        "irradiance": {
            "target": 1000,
            "actual": irradiance,
            "unit": "W/m²",
            "tolerance": "±2 %",
            "compliant": abs(irradiance - 1000) <= 20,
        },
        "temperature": {
            "target": 25,
            "actual": temperature,
            "unit": "°C",
            "tolerance": "±2 °C",
            "compliant": abs(temperature - 25) <= 2,
        },
        "relative_humidity": {"actual": humidity, "unit": "%"},
    }
