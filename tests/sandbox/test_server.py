"""The servers of a sandbox end with a word when something ends them before their time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import Credentials, Settings, server, systems


async def _fails() -> None:
    raise OSError("the disk is full")


def test_servers_that_end_before_they_are_told_to_say_why(tmp_path: Path) -> None:
    def parts() -> list[server.Part]:
        return [replace(part, close=_fails) for part in systems.every(Settings(tmp_path), Credentials())]

    with pytest.raises(OSError, match="the disk is full"), server.in_thread(parts) as running:
        assert running.ports
