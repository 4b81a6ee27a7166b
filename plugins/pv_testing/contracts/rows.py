"""The rows of a listing of samples, read back into our words: by the listing's own map, else as look-ups read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pv_testing.contracts.fields import normal
from pv_testing.contracts.paths import Getter, Template, first, getter, has
from pv_testing.core import keys
from pv_testing.core.errors import ResponseError
from pv_testing.core.problems import Problem
from pv_testing.core.reasons import Reason
from pv_testing.core.yaml_file import Document

LISTING, CREATE = "get_samples", "create_sample"
KEY = ("sr_number", "serial_number")
ID = "lims_sample_id"


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as a listing shows it; one that was made without our key has no numbers.

    Attributes:
        sr_number: of its service request.
        serial_number: of its module.
        id: its id in the LIMS.
    """

    sr_number: str
    serial_number: str
    id: str

    @property
    def key(self) -> str:
        """The sample's business key."""
        return keys.compose(self.sr_number, self.serial_number)


@dataclass(frozen=True, slots=True)
class SampleRows:
    """Where the rows of a LIMS's listing have what we know a sample by.

    Attributes:
        places: the paths of service request and serial number.
        id: finds the id.
    """

    places: tuple[str, ...]
    id: Getter

    def read(self, row: Mapping[str, Any]) -> SampleRow:
        """Return a row in our words.

        Raises:
            ResponseError: the row lacks a field of the key (``KEY_MISSING``), or the id (``ID_MISSING``).
        """
        key: list[str] = []
        missing: list[str] = []
        for place in self.places:
            word = getter(place)(row)
            if has(row, place) and _is_word(word):
                key.append("" if word is None else str(word))
            else:
                missing.append(place)
        if missing:
            message = f"a row of {LISTING} has no {', '.join(missing)}; say by `map` of {LISTING} where its key is"
            raise ResponseError(message, code=Reason.KEY_MISSING, excerpt=str(row))
        number, serial = key
        sample_id = self.id(row)
        if sample_id is None or sample_id == "" or not _is_word(sample_id):
            message = f"a row of {LISTING} has no id; say by {ID} in `map` of {LISTING} where it is"
            raise ResponseError(message, code=Reason.ID_MISSING, excerpt=str(row))
        return SampleRow(number, serial, str(sample_id))


def _is_word(value: Any) -> bool:
    return value is None or (isinstance(value, (str, int)) and not isinstance(value, bool))


def compile_sample_rows(written: Mapping[str, Any]) -> SampleRows | None:
    """Return how a contract's listing of samples is read; ``None`` where it has none, or no map."""
    places = _places(written)
    if places is None or not set(KEY) <= places.keys():
        return None
    return SampleRows(tuple(places[ours] for ours in KEY), first(id_paths(written)))


def row_problems(document: Document) -> Iterator[Problem]:
    """Find a listing of samples whose map doesn't say where the key is."""
    places = _places(document.value)
    missing = [ours for ours in KEY if places is not None and ours not in places]
    if missing:
        text = f"its rows have no {' and no '.join(missing)} in our words; name by `map` one that says where they are"
        yield document.problem(("operations", LISTING), text)


def id_paths(written: Mapping[str, Any]) -> list[str]:
    """Return where a row of the listing of samples says its id; the first place that has one counts."""
    listing = written["operations"].get(LISTING, {})
    own_id = listing["list"].get("id") if isinstance(listing.get("list"), Mapping) else None
    own = _by_our_names(written, listing).get(ID) if "map" in listing else None
    looked_up = written["operations"].get(CREATE, {}).get("find", {}).get("id")
    paths = own_id or own or looked_up or written.get("pagination", {}).get("id", "id")
    return [paths] if isinstance(paths, str) else list(paths)


def _places(written: Mapping[str, Any]) -> dict[str, str] | None:
    operations = written["operations"]
    if written["system"] != "lims" or LISTING not in operations:
        return None
    if "map" in operations[LISTING]:
        return _by_our_names(written, operations[LISTING])
    create = operations.get(CREATE, {})
    if "map" not in create:
        return None
    as_found = _as_found(create.get("find", {}))
    places = _by_our_names(written, create)
    for ours, place in places.items():
        places[ours] = as_found.get(place, place)
    return places


def _by_our_names(written: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, str]:
    fields = written.get("maps", {}).get(operation["map"], {})
    places: dict[str, str] = {}
    for ours, short in fields.items():
        spec = normal(ours, short)
        if "const" not in spec:
            places[spec["from"][0]] = spec["to"]
    return places


def _as_found(find: Mapping[str, Any]) -> dict[str, str]:
    """Return the names that the fields of the key have in an answer to a look-up, by their names in a request."""
    key = find.get("key")
    if not isinstance(key, Mapping):
        return {}
    sent, found = Template.of(key["sent"]).names, Template.of(key["found"]).names
    return dict(zip(sent, found, strict=True)) if len(sent) == len(found) else {}
