"""Asana as project management: what takes several steps or a second look.

The rest is ``include/mappings/pm_asana.yaml``. ``docs/products/asana.md`` says what is known and how surely.
"""

from pv_testing.providers.asana.provider import AsanaProvider

__all__ = ["AsanaProvider"]
