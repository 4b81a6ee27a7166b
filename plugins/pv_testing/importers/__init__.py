"""Files that others write: each row a record with an outcome of its own, carried to a system or kept."""

from __future__ import annotations

from pv_testing.importers.importer import FileImporter, FileReport

__all__ = ["FileImporter", "FileReport"]
