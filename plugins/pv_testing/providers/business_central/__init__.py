"""Business Central: sales invoices and credit memos made with their lines, and posted by an action."""

from pv_testing.providers.business_central.provider import BusinessCentralProvider

__all__ = ["BusinessCentralProvider"]
