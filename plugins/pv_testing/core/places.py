"""The folders of the project: contracts, schemas and configuration."""

from __future__ import annotations

import os
import re
from pathlib import Path

_OTHER_NAMES = {
    "compliancequest": "salesforce",
    "ms_project": "microsoft_project",
    "msproject": "microsoft_project",
    "trackwise": "salesforce",
    "trackwise_digital": "salesforce",
    "veeva_vault": "veeva",
}
"""Products that are spoken to as another one is, or that have a second name."""
_VERSION = re.compile(r"[\s,_-]+v?[0-9][\w.]*$", re.IGNORECASE)

MAPPINGS = Path("include", "mappings")
SCHEMAS = Path("include", "schemas")


def project_root() -> Path:
    """Return the project's folder: the one around ``plugins/pv_testing``, else the Airflow home.

    The package may be installed or mounted elsewhere than the contracts, and then they are in the Airflow home.
    """
    here = Path(__file__).resolve().parents[3]
    if (here / MAPPINGS).is_dir():
        return here
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()


def contract_names() -> list[str]:
    """Return the names of the contracts and field maps that the project has, sorted."""
    return sorted(path.stem for path in (project_root() / MAPPINGS).glob("*.yaml"))


def word_of(product: str) -> str:
    """Return a product's name as it is compared: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", product.lower()).strip("_")


def product_words(provider: str) -> tuple[str, ...]:
    """Return the words for a product: its whole name, its name without the version, and the one that speaks for it.

    Args:
        provider: such as ``SENAITE 2.6``, which gives ``senaite_2_6`` and ``senaite``.
    """
    names = (provider, _VERSION.sub("", provider))
    words = [word_of(name) for name in names]
    return tuple(dict.fromkeys([*words, *(_OTHER_NAMES[word] for word in words if word in _OTHER_NAMES)]))


def contract_path(name_or_path: str | Path) -> Path:
    """Return the file of a contract.

    Args:
        name_or_path: a name such as ``lims_custom``, or a path; a relative one counts from the project's folder.
    """
    given = Path(name_or_path)
    if given.suffix in {".yaml", ".yml"}:
        return given if given.is_absolute() else project_root() / given
    return project_root() / MAPPINGS / f"{given}.yaml"
