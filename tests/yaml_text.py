"""YAML by libyaml where it is installed, which is faster: tests read and write many contracts."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import yaml

_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_DUMPER: Any = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper


def load(text: str | bytes | IO[str]) -> Any:
    """Return what a YAML text holds."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - either of them is safe


def read(path: Path) -> dict[str, Any]:
    """Return what a YAML file holds."""
    return dict(load(path.read_text(encoding="utf-8")))


def dump(document: Any, **how: Any) -> str:
    """Return a document as YAML.

    Args:
        document: anything that YAML has a way to write.
        how: as of ``yaml.safe_dump``.
    """
    return str(yaml.dump(document, Dumper=_DUMPER, **how))
