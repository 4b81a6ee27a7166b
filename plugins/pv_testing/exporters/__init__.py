"""The laboratory's records as files: CSV, Excel workbooks and XML."""

from __future__ import annotations

from typing import Any

__all__ = ["DataExporter"]


def __getattr__(name: str) -> Any:
    """Import the exporter when it is asked for, so that the tables can be had without the framework's client."""
    if name == "DataExporter":
        from pv_testing.exporters.exporter import DataExporter

        return DataExporter
    raise AttributeError(name)
