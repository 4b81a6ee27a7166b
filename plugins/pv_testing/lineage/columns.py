"""Column lineage, computed from a contract's field maps: which column becomes which, with transformation and unit.

Measurements are rows: each has a parameter, a value and a unit. A quantity that the contract or ``field_mappings.yaml``
names counts as a column of its own beside them, so that ``measurements.Pmax`` is seen to become
``results.MaxPower_W``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pv_testing.contracts.fields import AROUND, FieldMap
from pv_testing.contracts.model import Contract
from pv_testing.lineage.origins import Origins, origins_of

DIRECT, INDIRECT = "DIRECT", "INDIRECT"
IDENTITY, TRANSFORMATION, CONDITIONAL = "IDENTITY", "TRANSFORMATION", "CONDITIONAL"
COMPUTED = "computed by the laboratory's rules"


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """A column that another one comes from.

    Attributes:
        dataset: such as ``framework/executions``.
        column: such as ``measurements.Pmax``.
        type: ``DIRECT`` where its value is used, ``INDIRECT`` where it only decides.
        subtype: ``IDENTITY``, ``TRANSFORMATION`` or ``CONDITIONAL``.
        description: what is done with it; empty for an identity.
    """

    dataset: str
    column: str
    type: str = DIRECT
    subtype: str = IDENTITY
    description: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of what is written.

    Attributes:
        name: dotted where it is in a record within the record.
        type: as the contract says it; empty where it doesn't.
        description: its unit, where it has one.
        sources: where it comes from; none where it is the same in each record.
    """

    name: str
    type: str = ""
    description: str = ""
    sources: tuple[ColumnSource, ...] = ()


@dataclass(frozen=True)
class ColumnReader:
    """Reads the columns that an operation writes off its map.

    Args:
        contract: of the system.
        origins: where our fields come from.
        renamed: the system's name and unit of quantities that ``field_mappings.yaml`` renames, by ours.
    """

    contract: Contract
    origins: Origins
    renamed: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def columns(self, fields: FieldMap, ours: str = "", theirs: str = "") -> Iterator[Column]:
        """Give the columns of a map, those of lists within it included.

        Args:
            fields: the map.
            ours: the path of the list in our record that the map is of; empty for the record itself.
            theirs: the same in the system's record.
        """
        for spec in fields.specs.values():
            target = _joined(theirs, spec["to"])
            if "const" in spec:
                yield Column(target, spec.get("type", ""))
            elif "each" in spec:
                yield Column(target, "array")
                inner = self.contract.maps[spec["each"]]
                here = _path(ours, spec["from"][0])
                yield from self.columns(inner, here, target)
                yield from self._quantities(inner, here, target)
            else:
                unit = spec["unit"] if isinstance(spec.get("unit"), str) else ""
                yield Column(target, _type(spec), unit and f"in {unit}", tuple(self._sources(spec, ours)))

    def _sources(self, spec: Mapping[str, Any], ours: str) -> Iterator[ColumnSource]:
        done = describe(spec)
        for path in spec["from"]:
            yield from self._direct(_path(ours, path), done)
        for path, what in deciding(spec).items():
            for origin in origins_of(self.origins, _path(ours, path)):
                yield ColumnSource(origin.dataset, origin.column, INDIRECT, CONDITIONAL, what)

    def _direct(self, path: str, done: str) -> Iterator[ColumnSource]:
        for origin in origins_of(self.origins, path):
            description = "; ".join(part for part in (COMPUTED if origin.computed else "", done) if part)
            yield ColumnSource(
                origin.dataset, origin.column, DIRECT, TRANSFORMATION if description else IDENTITY, description
            )

    def _quantities(self, inner: FieldMap, ours: str, theirs: str) -> Iterator[Column]:
        """Give a column for each quantity that the units of a list's values are named for."""
        for spec in inner.specs.values():
            unit = spec.get("unit")
            if not isinstance(unit, Mapping) or spec.get("type") == "unit" or spec.get("difference"):
                continue
            table = self.contract.units[unit["in"]]
            for name in dict.fromkeys([*table, *self.renamed]):
                target, wanted = self.renamed.get(name, (name, table.get(name, "")))
                done = f"converted to {wanted}" if wanted else "in the unit that it came in"
                sources = tuple(self._direct(_path(ours, name), done))
                yield Column(_joined(theirs, target), spec.get("type", "number"), wanted and f"in {wanted}", sources)


def sources_of(origins: Origins, field: str) -> tuple[ColumnSource, ...]:
    """Return the columns that a field comes from where no contract changes it on the way.

    Args:
        origins: where the fields come from.
        field: a dotted path.
    """
    sources = []
    for origin in origins_of(origins, field):
        done = COMPUTED if origin.computed else ""
        sources.append(ColumnSource(origin.dataset, origin.column, DIRECT, TRANSFORMATION if done else IDENTITY, done))
    return tuple(sources)


def describe(spec: Mapping[str, Any]) -> str:
    """Return what a map does with a value, without any value of its own; empty where it is left as it is.

    Args:
        spec: a field in its long form.
    """
    kind, unit = spec.get("type", ""), spec.get("unit")
    parts = {
        f"word of the vocabulary {spec.get('vocabulary')}": "vocabulary" in spec,
        "the unit that the value is sent in": kind == "unit",
        f"converted to {unit}": isinstance(unit, str),
        "converted to the system's unit of the quantity": isinstance(unit, Mapping) and kind != "unit",
        f"as {kind}": bool(kind) and kind != "unit",
        "else a constant": "default" in spec,
    }
    return "; ".join(text for text, holds in parts.items() if holds)


def deciding(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return our fields that decide what becomes of a value, each with what it says."""
    meanings = {}
    if "unit_from" in spec:
        meanings[str(spec["unit_from"])] = "the value's unit"
    if isinstance(spec.get("unit"), Mapping):
        meanings[str(spec["unit"]["of"])] = "the quantity, which has a unit in the system"
    return meanings


def _type(spec: Mapping[str, Any]) -> str:
    kind = str(spec.get("type", ""))
    return "string" if kind == "unit" or (not kind and "vocabulary" in spec) else kind


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _path(ours: str, path: str) -> str:
    """Return a path from the outermost record; ``^`` at its beginning leads out of a list."""
    while path.partition(".")[0] == AROUND:
        ours, path = ours.rpartition(".")[0], path.partition(".")[2]
    return _joined(ours, path)
