"""Tryton 8.2 as ERP: JSON-RPC, and what takes several steps; the rest is ``include/mappings/erp_tryton.yaml``.

``docs/how-to/tryton.md`` lists what the steps answer to, each fact seen on a running system.
"""

from pv_testing.providers.tryton.provider import TrytonProvider

__all__ = ["TrytonProvider"]
