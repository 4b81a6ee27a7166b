"""Measurements under the LIMS's own names and in its units, as ``field_mappings.yaml`` in the configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pv_testing.contracts.fields import inside
from pv_testing.contracts.mapping import unit_of
from pv_testing.contracts.units import convert
from pv_testing.core.errors import MappingError
from pv_testing.core.problems import Problem, refuse
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.core.values import number

SYSTEM, SECTION = "lims_mapping", "measurements"
_ELSEWHERE = "does nothing here: what {} calls its fields is said by the maps of its contract; move it there"


@dataclass(frozen=True)
class Renaming:
    """What the LIMS calls measurements, and the units that it wants them in.

    Attributes:
        names: the LIMS's name and unit, which may be empty, by our name.
        digest: of the file; empty where there is none.
    """

    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    digest: str = ""

    @classmethod
    def read(cls, path: Path | None = None) -> Renaming:
        """Read the file.

        Args:
            path: the file; ``field_mappings.yaml`` beside the configuration file without it, which need not exist.

        Raises:
            ConfigError: the file is wrong, or says something that would do nothing.
        """
        from pv_testing.config import config_path
        from pv_testing.core.schema import check
        from pv_testing.core.yaml_file import read_yaml

        path = path or config_path().with_name("field_mappings.yaml")
        if not path.exists():
            return cls()
        document = read_yaml(path)
        refuse(check(document, "field_mappings"))
        refuse(_dead(document))
        fields = document.value.get(SYSTEM, {}).get(SECTION, {})
        return cls({ours: _target(spec) for ours, spec in fields.items()}, document.digest)

    def applied(self, record: Record) -> Record:
        """Return the record of a result set with its measurements renamed, or with its problem.

        Args:
            record: in the project's words.
        """
        given = record.data.get("measurements")
        if not self.names or record.problem is not None or not isinstance(given, (list, tuple)):
            return record
        try:
            return replace(record, data={**record.data, "measurements": [self._one(each) for each in given]})
        except MappingError as error:
            return replace(record, problem=error)

    def _one(self, measured: Mapping[str, Any]) -> Mapping[str, Any]:
        ours = str(measured.get("parameter"))
        if ours not in self.names:
            return measured
        theirs, unit = self.names[ours]
        if not unit:
            return {**measured, "parameter": theirs}
        source, uncertainty = str(measured.get("unit") or ""), measured.get("uncertainty")
        if not source:
            raise MappingError(f"{ours} has no unit, {unit} is wanted", code=Reason.UNIT_MISSING)
        try:
            value = convert(number(measured.get("value")), source, unit)
            if uncertainty is not None:
                uncertainty = convert(number(uncertainty), source, unit, difference=True)
        except MappingError as error:
            raise inside(ours, error) from None
        return {**measured, "parameter": theirs, "value": value, "unit": unit, "uncertainty": uncertainty}


def _target(spec: Any) -> tuple[str, str]:
    """Return the LIMS's name of a measurement, and its unit where the name or the file says one."""
    if isinstance(spec, Mapping):
        return str(spec["to"]), str(spec.get("unit") or unit_of(str(spec["to"])))
    return str(spec), unit_of(str(spec))


def _dead(document: Any) -> Iterator[Problem]:
    """Give what the file says and nothing would follow from."""
    for system, sections in document.value.items():
        for section, fields in sections.items():
            if (system, section) != (SYSTEM, SECTION):
                text = _ELSEWHERE.format(f"the {system.removesuffix('_mapping').upper()}")
                yield document.problem((system, section), text)
                continue
            taken: dict[str, str] = {}
            for ours, spec in fields.items():
                if isinstance(spec, Mapping) and set(spec) - {"to", "unit"}:
                    yield document.problem((system, section, ours), "takes only to and unit")
                other = taken.setdefault(_target(spec)[0], ours)
                if other != ours:
                    yield document.problem((system, section, ours), f"has the same name in the LIMS as {other}")
