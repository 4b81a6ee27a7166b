"""SENAITE LIMS 2.6: what takes several steps or a second look; the rest is ``include/mappings/lims_senaite.yaml``.

``docs/how-to/senaite.md`` lists what the steps answer to, each fact seen on a running system.
"""

from pv_testing.providers.senaite.provider import SenaiteProvider

__all__ = ["SenaiteProvider"]
