"""Field maps, compiled to closures that work in both directions.

A map says for each of our fields where it goes in the system's record; see ``include/schemas/contract.schema.json`` for
its YAML. :func:`compile_map` turns it into one closure a field.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pv_testing.contracts import units
from pv_testing.contracts.paths import Getter, first, getter, putter
from pv_testing.contracts.words import Vocabulary
from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason
from pv_testing.core.values import CONVERTERS, Converter, instants, limited, number, plain

log = logging.getLogger(__name__)

Data = Mapping[str, Any]
Step = Callable[[Data, dict[str, Any]], None]
Contextual = Callable[[Any, Data], Any]
Others = Literal["drop", "keep", "refuse"]

AROUND = "^"
"""In the map of a list's records, the first part of a path into the record that the list is in."""


@dataclass(frozen=True)
class FieldMap:
    """A map between our fields and a system's.

    Attributes:
        name: as the contract calls it.
        mapping: our field to theirs, as the guide's ``validate_mapping`` reads it.
        required: which of ours must have a value.
        others: what becomes of our fields that the map doesn't name.
        around: from how many records further out it takes something, each the one that a list is in.
        lists: the name of the map of the records in a list, by our field.
        specs: each of our fields as the contract says it, in its long form.
    """

    name: str
    mapping: Mapping[str, str]
    required: tuple[str, ...]
    others: Others = "drop"
    around: int = 0
    lists: Mapping[str, str] = field(default_factory=dict)
    specs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    _out: tuple[Step, ...] = field(default=(), repr=False)
    _back: tuple[Step, ...] = field(default=(), repr=False)

    def out(self, data: Data) -> dict[str, Any]:
        """Return our record as the system has it.

        Raises:
            MappingError: a field is missing or can't be converted; the message names it.
        """
        payload: dict[str, Any] = {}
        for step in self._out:
            step(data, payload)
        if self.others != "drop":
            self._carry(data, payload)
        return payload

    def back(self, payload: Data) -> dict[str, Any]:
        """Return the system's record as ours; what it doesn't have is left out.

        Raises:
            MappingError: a word of the system is unknown.
        """
        data: dict[str, Any] = {}
        for step in self._back:
            step(payload, data)
        return data

    def _carry(self, data: Data, payload: dict[str, Any]) -> None:
        rest = [name for name in data if name not in self.mapping]
        if rest and self.others == "refuse":
            raise MappingError(f"{self.name} maps no field {', '.join(rest)}", code=Reason.FIELD_UNKNOWN)
        if rest:
            _note(self.name, tuple(rest))
        for name in rest:
            value = data[name]
            payload[name] = value if value is None else plain(value)


@lru_cache(maxsize=1024)
def _note(name: str, fields: tuple[str, ...]) -> None:
    """Say once which fields keep their own names."""
    log.warning("%s maps no field %s; it keeps its own name", name, ", ".join(fields))


@dataclass(frozen=True)
class Shared:
    """What the fields of a contract refer to by name.

    Attributes:
        vocabularies: lists of words.
        units: tables of the units that a system wants, by quantity.
        maps: maps that are compiled already, for lists of records within records.
    """

    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    maps: Mapping[str, FieldMap] = field(default_factory=dict)


def compile_map(name: str, fields: Mapping[str, Any], shared: Shared, others: Others = "drop") -> FieldMap:
    """Compile a map.

    Args:
        name: as the contract calls it.
        fields: our field to theirs, each in the short form (a target) or the long one (a mapping with ``to``).
        shared: what they refer to.
        others: what becomes of our fields that the map doesn't name.
    """
    mapping: dict[str, str] = {}
    lists: dict[str, str] = {}
    required: list[str] = []
    out: list[Step] = []
    back: list[Step] = []
    specs: dict[str, Mapping[str, Any]] = {}
    around = 0
    for ours, short in fields.items():
        spec = specs[ours] = normal(ours, short)
        mapping[ours] = spec["to"]
        around = max(around, _reach(spec, shared))
        out.append(_outward(ours, spec, shared))
        if spec["required"]:
            required.append(ours)
        if "each" in spec:
            lists[ours] = spec["each"]
        if "const" not in spec and _is_own(spec):
            back.append(_inward(spec, shared))
    return FieldMap(name, mapping, tuple(required), others, around, lists, specs, tuple(out), tuple(back))


def looks_around(spec: Mapping[str, Any]) -> int:
    """Return from how many records further out a field in its long form takes its value or unit."""
    unit = spec.get("unit")
    paths = [*spec["from"], spec.get("unit_from", ""), unit["of"] if isinstance(unit, Mapping) else ""]
    return max(str(path).split(".").count(AROUND) for path in paths)


def _reach(spec: Mapping[str, Any], shared: Shared) -> int:
    within = shared.maps[spec["each"]].around - 1 if "each" in spec else 0
    return max(looks_around(spec), within)


def _is_own(spec: Mapping[str, Any]) -> bool:
    """Whether a field is one of the record itself; what is around it can't be read back from within."""
    return bool(spec["from"][0].split(".")[0] != AROUND)


def normal(ours: str, spec: Any) -> dict[str, Any]:
    """Return a field's long form with ``to``, ``from`` and ``required`` filled in."""
    if not isinstance(spec, Mapping):
        return {"to": spec, "from": [ours], "required": True}
    sources = spec.get("from", ours)
    given = "const" in spec or "default" in spec
    return {
        "required": not given,
        **spec,
        "to": spec.get("to", ours),
        "from": [sources] if isinstance(sources, str) else list(sources),
    }


def _outward(ours: str, spec: Mapping[str, Any], shared: Shared) -> Step:
    put = putter(spec["to"])
    if "const" in spec:
        constant = spec["const"]
        return lambda _, payload: put(payload, constant)
    get: Getter = first(spec["from"])
    by_context = _contextual(spec, shared)
    by_itself = plain if by_context else _by_itself(spec, shared)
    missing = _missing(ours, spec)
    nothing: tuple[Any, ...] = (None, "", [], (), {}) if spec.get("type") == "text" else (None, "")

    def step(data: Data, payload: dict[str, Any]) -> None:
        value = get(data)
        if value in nothing:
            value = missing()
            if value is not None:
                put(payload, value)
            return
        try:
            put(payload, by_context(value, data) if by_context else by_itself(value))
        except MappingError as error:
            raise inside(ours, error) from None

    return step


def _missing(ours: str, spec: Mapping[str, Any]) -> Callable[[], Any]:
    default = spec.get("default")
    code = Reason.UNIT_MISSING if spec.get("type") == "unit" else Reason.FIELD_MISSING

    def required() -> Any:
        raise MappingError(f"Missing field: {ours}", code=code)

    return required if spec["required"] and default is None else lambda: default


def inside(where: str, error: MappingError) -> MappingError:
    """Return an error that says in which field it happened."""
    glue = "" if error.message.startswith("[") else ": "
    return MappingError(f"{where}{glue}{error.message}", code=error.code)


def _contextual(spec: Mapping[str, Any], shared: Shared) -> Contextual | None:
    """Return how a value is converted that depends on others of its record; ``None`` for one that doesn't."""
    if "each" in spec and shared.maps[spec["each"]].around:
        return _list_within(shared.maps[spec["each"]])
    if spec.get("type") == "unit":
        return _unit_name(spec, shared)
    return _quantity(spec, shared) if "unit" in spec else None


def _by_itself(spec: Mapping[str, Any], shared: Shared) -> Converter:
    if "each" in spec:
        return _list(shared.maps[spec["each"]])
    convert = CONVERTERS.get(spec.get("type", ""), plain)
    if spec.get("type") == "datetime":
        convert = instants(spec["to"])
    if "vocabulary" in spec:
        vocabulary = shared.vocabularies[spec["vocabulary"]]
        return lambda value: vocabulary.write(str(value))
    if "max_length" in spec:
        return limited(convert, spec["max_length"])
    return convert


def _list(inner: FieldMap) -> Converter:
    def convert(value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            raise MappingError("is not a list", code=Reason.NOT_A_LIST)
        mapped = []
        for place, item in enumerate(value):
            try:
                mapped.append(inner.out(item))
            except MappingError as error:
                raise MappingError(f"[{place}]: {error.message}", code=error.code) from None
        return mapped

    return convert


def _list_within(inner: FieldMap) -> Contextual:
    """Convert a list whose records take something from the one that the list is in."""
    convert = _list(inner)

    def convert_within(value: Any, data: Data) -> Any:
        known = isinstance(value, Sequence) and all(isinstance(item, Mapping) for item in value)
        return convert([{**item, AROUND: data} for item in value] if known else value)

    return convert_within


def _target_unit(spec: Mapping[str, Any], shared: Shared) -> Callable[[Data], str | None]:
    wanted = spec.get("unit")
    if not isinstance(wanted, Mapping):
        return lambda _: wanted
    table, named = shared.units[wanted["in"]], getter(wanted["of"])
    return lambda data: table.get(str(named(data)))


def _unit_name(spec: Mapping[str, Any], shared: Shared) -> Contextual:
    """Name the unit that a value is sent in: the one the system wants, else the one it came in."""
    target = _target_unit(spec, shared)
    return lambda value, data: target(data) or str(value)


def _quantity(spec: Mapping[str, Any], shared: Shared) -> Contextual:
    """Convert a value to the unit that the system wants; what it has no wish for is sent as it came."""
    target = _target_unit(spec, shared)
    source = getter(spec["unit_from"]) if "unit_from" in spec else None
    is_difference = bool(spec.get("difference"))
    finish = CONVERTERS[spec.get("type", "number")]

    def convert(value: Any, data: Data) -> Any:
        unit: Any = source(data) if source else None
        if source is None and isinstance(value, Mapping):
            value, unit = value.get("value"), value.get("unit")
        wanted = target(data)
        if wanted is None or unit == wanted:
            return finish(value)
        if unit is None or unit == "":
            raise MappingError(f"has no unit, {wanted} is wanted", code=Reason.UNIT_MISSING)
        return finish(units.convert(number(value), str(unit), wanted, difference=is_difference))

    return convert


def _inward(spec: Mapping[str, Any], shared: Shared) -> Step:
    get, put = getter(spec["to"]), putter(spec["from"][0])
    convert = _reader(spec, shared)

    def step(payload: Data, data: dict[str, Any]) -> None:
        value = get(payload)
        if value is not None:
            put(data, convert(value))

    return step


def _reader(spec: Mapping[str, Any], shared: Shared) -> Converter:
    if "vocabulary" in spec:
        vocabulary = shared.vocabularies[spec["vocabulary"]]
        return lambda word: vocabulary.read(str(word))
    if "each" in spec:
        inner = shared.maps[spec["each"]]
        return lambda items: [inner.back(item) for item in items]
    if isinstance(spec.get("unit"), str) and "unit_from" not in spec:
        return lambda value: {"value": value, "unit": spec["unit"]}
    return lambda value: value
