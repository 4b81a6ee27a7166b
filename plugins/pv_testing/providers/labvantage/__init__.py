"""LabVantage 8: what takes several steps; the rest is ``include/mappings/lims_labvantage.yaml``.

``docs/products/labvantage.md`` lists the steps, and how surely each fact is known.
"""

from pv_testing.providers.labvantage.provider import LabVantageProvider

__all__ = ["LabVantageProvider"]
