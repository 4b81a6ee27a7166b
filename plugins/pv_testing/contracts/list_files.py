"""Listings that a system writes as a file: the whole list at once, such as all samples with their states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pv_testing.contracts.files import FileFormat, compile_format, format_problems
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.yaml_file import Document, Place

_REQUESTS = ("path", "method", "kind", "files", "bulk", "find", "update", "reply", "list")
_LOOK_UP = {"listing", "key", "id", "in_effect"}


@dataclass(frozen=True, slots=True)
class ListFile:
    """The file that is a listing.

    Attributes:
        folder: where the system writes it.
        name: its name.
        form: how it looks.
        quiet: seconds for which it must stay as it is before it is believed, as it may be half written.
        max_bytes: the largest one that is read.
    """

    folder: str
    name: str
    form: FileFormat
    quiet: float = 1.0
    max_bytes: int = 64 * 2**20


def compile_list_file(written: Mapping[str, Any]) -> ListFile:
    """Compile the section ``list_file`` of an operation."""
    known = {name: written[name] for name in ("quiet", "max_bytes") if name in written}
    return ListFile(written["folder"], written["name"], compile_format(written["format"]), **known)


def list_file_problems(document: Document) -> Iterator[Problem]:
    """Find listings by files that say how to send a request, and look-ups in listings that are no files."""
    operations = document.value["operations"]
    lists = [name for name, written in operations.items() if "list_file" in written]
    for name in lists:
        place: Place = ("operations", name)
        for other in _REQUESTS:
            if other in operations[name]:
                yield document.problem((*place, other), "has no meaning for a listing that is a file")
        form = operations[name]["list_file"]["format"]
        yield from format_problems(document, (*place, "list_file", "format"), form)
    for name, written in operations.items():
        find, place = written.get("find", {}), ("operations", name, "find")
        if "listing" not in find:
            continue
        if "files" not in written:
            yield document.problem((*place, "listing"), "is for operations by files; say path for a request")
        elif find["listing"] not in lists:
            text = f"there is no listing {find['listing']!r} with list_file; {allowed(find['listing'], lists)}"
            yield document.problem((*place, "listing"), text)
        for other in sorted(set(find) - _LOOK_UP):
            yield document.problem((*place, other), "has no meaning for a look-up in a file")
