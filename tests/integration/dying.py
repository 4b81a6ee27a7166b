"""A ledger whose process is gone at a chosen write, as one that is killed there."""

from __future__ import annotations

from typing import Any

from pv_testing.ledger import Ledger

WRITES = ("claim", "settle", "quarantine", "release", "set_watermark", "update")
MOST = 60


class Gone(BaseException):
    """The process is gone."""


class DyingLedger(Ledger):
    """A ledger that is gone at one of its writes.

    Args:
        url: of the database.
        at: the number of the write, from 1.
        done: whether the write takes effect before.
    """

    def __init__(self, url: str, at: int, *, done: bool) -> None:
        super().__init__(url)
        self._left = at
        self._write_takes_effect = done
        self.gone = False

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        return self._counted(method) if name in WRITES else method

    def _counted(self, method: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self.gone = True
                if self._write_takes_effect:
                    method(*arguments, **named)
                raise Gone
            return method(*arguments, **named)

        return counted
