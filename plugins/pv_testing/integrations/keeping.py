"""Where a client keeps its exchanges when it is not told: in the configured ledger, which outlives the process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pv_testing.ledger import Ledger


def open_configured_ledger() -> Ledger:
    """Open the ledger that the configuration file names, else a SQLite file in the Airflow home, which is made.

    Raises:
        ConfigError: what the file says of the ledger can't be used.
        LedgerError: the ledger can't be opened.
    """
    from pv_testing.config import configured_ledger_url, default_ledger_url

    url = configured_ledger_url()
    if url == default_ledger_url():
        with suppress(OSError):  # the ledger says it in its own words
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return Ledger(url)
