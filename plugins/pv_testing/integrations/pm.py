"""Project management: tasks, progress, hours and resource usage."""

from __future__ import annotations

from typing import ClassVar

from pv_testing.integrations.client import SystemClient


class PMClient(SystemClient):
    """Speaks with the project management system in the words of the integration guide."""

    system: ClassVar[str] = "pm"
