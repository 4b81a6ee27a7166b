"""The ERP's records in its own SQLite file."""

from __future__ import annotations

from pathlib import Path

SCHEMA = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
BUSINESS_KEYS: dict[str, tuple[str, ...]] = {}
