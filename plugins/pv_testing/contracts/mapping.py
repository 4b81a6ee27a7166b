"""The guide's field mappings: ``include/mappings/field_mappings.yaml`` and ``validate_mapping``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv_testing.contracts.fields import FieldMap, Others, Shared, compile_map
from pv_testing.contracts.paths import getter
from pv_testing.core.errors import MappingError
from pv_testing.core.places import contract_path
from pv_testing.core.problems import refuse
from pv_testing.core.reasons import Reason

_SUFFIXES = {"W": "W", "V": "V", "A": "A", "Percent": "%", "C": "°C", "Ohm": "ohm"}

log = logging.getLogger(__name__)


def validate_mapping(data: Mapping[str, Any], mapping: Mapping[str, Any] | FieldMap) -> None:
    """Check that a record has every field that a mapping needs.

    Args:
        data: the record; a field may be a dotted path into it.
        mapping: our field to theirs.

    Raises:
        MappingError: the first that is missing, in the words of the integration guide.
    """
    names = mapping.required if isinstance(mapping, FieldMap) else mapping
    for name in names:
        if name not in data and getter(name)(data) is None:
            raise MappingError(f"Missing field: {name}", code=Reason.FIELD_MISSING)


def load_field_mappings(
    path: str | Path = "field_mappings", *, others: Others = "keep"
) -> dict[str, dict[str, FieldMap]]:
    """Return the guide's field mappings, such as ``["lims_mapping"]["measurements"]``.

    A measurement's target that ends in a unit, such as ``MaxPower_W``, takes a value with its unit and converts it.

    Args:
        path: the file, or its name.
        others: what becomes of fields that no mapping names: kept under their own name, dropped or refused.

    Raises:
        ConfigError: the file is wrong.
    """
    from pv_testing.core.schema import check
    from pv_testing.core.yaml_file import read_yaml

    document = read_yaml(contract_path(path))
    refuse(check(document, "field_mappings"))
    mappings: dict[str, dict[str, FieldMap]] = {}
    for system, maps in document.value.items():
        compiled = mappings[system] = {}
        for name, fields in maps.items():
            specs = {ours: _with_unit(spec) for ours, spec in fields.items()}
            compiled[name] = compile_map(name, specs, Shared(), others)
    return mappings


def _with_unit(spec: Any) -> Any:
    unit = unit_of(spec) if isinstance(spec, str) else ""
    return {"to": spec, "unit": unit} if unit else spec


def unit_of(name: str) -> str:
    """Return the unit that the name of a measurement ends in, such as ``MaxPower_W``; empty where there is none."""
    _, line, suffix = name.rpartition("_")
    return _SUFFIXES.get(suffix, "") if line else ""
