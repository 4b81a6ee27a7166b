"""The plan's file in a shared folder: read, changed under a lock, compared and replaced as a whole.

Beside it lies a hidden copy as it was written here last. The planner's Project knows no lock: a plan that was opened
before a change and saved after it would undo the change. Its next reader here sees that by the copy, and merges.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pv_testing.core.errors import NetworkError
from pv_testing.core.reasons import Reason
from pv_testing.providers.microsoft_project import mspdi
from pv_testing.providers.microsoft_project.plan import Plan, merged
from pv_testing.transports.files.store import LocalStore

MOST = 64 * 2**20
PAUSE = 0.02
Change = Callable[[Plan], bool]
"""Changes a plan, and says whether it did."""


class PlanFile:
    """A plan's file.

    Args:
        store: the folder.
        name: of the file.
    """

    def __init__(self, store: LocalStore, name: str) -> None:
        self._store, self._name, self._copy = store, name, f".{name}.written"

    @property
    def where(self) -> str:
        """Where the plan is, for messages."""
        return self._store.where("", self._name)

    def update(self, change: Change, left: Callable[[], float], writing: Callable[[], None]) -> None:
        """Change the plan, and write it where it differs from the file that lies there.

        Args:
            change: changes the plan; called again where the planner has saved meanwhile.
            left: returns the seconds that are left, or raises an error where there are none.
            writing: called before anything is written.

        Raises:
            NetworkError: the folder is out of reach, or another process holds the lock for too long.
            ResponseError: the file is no MSPDI.
        """
        self._store.names("")
        with self._locked(left):
            while True:
                content = self._read(self._name)
                plan = self._merged(content)
                changed = change(plan)
                left()
                if self._read(self._name) == content:
                    break
            if changed or (content is not None and content != self._read(self._copy)):
                writing()
                self._write(plan)

    def _write(self, plan: Plan) -> None:
        """Write the copy first: what only the copy has reaches the file with the next reader."""
        content = mspdi.serialise(plan.root)
        self._store.write("", self._copy, content)
        self._store.write("", self._name, content)

    def _merged(self, content: bytes | None) -> Plan:
        ours = self._read(self._copy)
        if ours is None or content is None:
            known = content if ours is None else ours
            return Plan(None if known is None else mspdi.parse(known, self.where))
        theirs = Plan(mspdi.parse(content, self.where))
        return theirs if content == ours else merged(theirs, Plan(mspdi.parse(ours, self.where)))

    def _read(self, name: str) -> bytes | None:
        try:
            return self._store.read("", name, MOST)
        except FileNotFoundError:
            return None

    @contextmanager
    def _locked(self, left: Callable[[], float]) -> Iterator[Any]:
        """Hold the lock of all processes that write the plan here; the operating system frees it when one is killed."""
        with (self._store.root / f".{self._name}.lock").open("a+b") as lock:
            until = time.monotonic() + left()
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    if time.monotonic() > until:
                        message = f"{self.where} is locked by another process; nothing was written"
                        raise NetworkError(message, code=Reason.STORE_UNREACHABLE) from None
                    time.sleep(PAUSE)
                else:
                    break
            yield lock
