"""The data that the DAGs read and produce, as Airflow assets, and their names in OpenLineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.sdk import Asset
    from openlineage.client.event_v2 import Dataset

SCHEME = "pv://"


def uri(dataset: str) -> str:
    """Return the address of a dataset's asset.

    Args:
        dataset: its name, of :mod:`pv_testing.domain.datasets`.
    """
    return f"{SCHEME}{dataset}"


def to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:  # noqa: ARG001 - Airflow's signature
    """Return the OpenLineage dataset of a ``pv://SYSTEM/NAME`` asset; without a converter Airflow drops it.

    Args:
        asset: the asset.
        lineage_context: the hook that reports it, not needed here.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parsed = urlsplit(asset.uri)
    return Dataset(namespace=f"pv://{parsed.netloc}", name=parsed.path.strip("/"))
