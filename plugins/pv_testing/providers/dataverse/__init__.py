"""Microsoft's premium planner by Dataverse's Project schedule API: changes go into operation sets, persisted later.

The rest is ``include/mappings/pm_dataverse.yaml``. ``docs/products/dataverse.md`` says what is known and how surely.
"""

from pv_testing.providers.dataverse.provider import DataverseProvider

__all__ = ["DataverseProvider"]
