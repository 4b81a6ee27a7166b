"""Units are converted exactly or refused with a reason code; never relabelled."""

from __future__ import annotations

import math
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv_testing.contracts.units import convert
from pv_testing.core.errors import MappingError
from pv_testing.core.places import project_root


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (402.5, "W", "W", 402.5),
        (0.4025, "kW", "W", 402.5),
        (49520, "mV", "V", 49.52),
        (0.785, "1", "%", 78.5),
        (0.785, "fraction", "%", 78.5),
        (298.15, "K", "°C", 25.0),
        (77, "°F", "°C", 25),
        (-0.35, "%/K", "%/°C", -0.35),
        (40, "Mohm*m**2", "MΩ·m²", 40),
        (1000, "W/m^2", "kW/m²", 1),
        (2, "µA", "mA", 0.002),
        (2, "\N{GREEK SMALL LETTER MU}A", "\N{MICRO SIGN}A", 2),
        (3, "Ohm", "Ω", 3),
        (Decimal("0.10"), "kW", "W", Decimal(100)),
    ],
)
def test_the_same_quantity_in_another_unit(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == expected


def test_an_uncertainty_has_no_zero_point() -> None:
    assert convert(1.8, "°F", "°C", difference=True) == 1.0
    assert convert(1.0, "K", "°C", difference=True) == 1.0
    assert convert(1.0, "K", "°C") == -272.15


@pytest.mark.parametrize("unit", ["V", "count", "W*h", "%", "mm"])
def test_another_quantity_is_refused(unit: str) -> None:
    with pytest.raises(MappingError) as caught:
        convert(400.0, unit, "W")
    assert caught.value.code == "UNIT_MISMATCH"


@pytest.mark.parametrize(
    "unit", ["watts per fortnite", "5", "2 W", "W**99999999", "2**9**9**9", "__import__", "W" * 100, "dB(", "\0", "W;1"]
)
def test_what_is_no_unit_is_refused(unit: str) -> None:
    with pytest.raises(MappingError) as caught:
        convert(400.0, unit, "W")
    assert caught.value.code in {"UNIT_UNKNOWN", "UNIT_MISMATCH"}


def test_a_logarithmic_unit_is_not_taken_for_a_proportional_one() -> None:
    with pytest.raises(MappingError, match="aren't proportional"):
        convert(30.0, "dBm", "W")


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_there_and_back(value: float) -> None:
    for here, there in (("kW", "W"), ("mV", "V"), ("K", "°C"), ("fraction", "%")):
        assert math.isclose(convert(convert(value, here, there), there, here), value, rel_tol=1e-9, abs_tol=1e-9)


def test_a_value_in_the_wanted_unit_does_not_wait_for_the_unit_library() -> None:
    code = "import sys, pv_testing.contracts.units as u; u.convert(1.0, 'W', 'W'); sys.exit('pint' in sys.modules)"
    root = project_root()
    assert subprocess.run([sys.executable, "-c", code], cwd=root / "plugins", check=False).returncode == 0
