"""ERPs that take an invoice as a draft and post it by a step of its own, once the ERP's own total is ours."""

from pv_testing.providers.drafting.provider import DraftingProvider

__all__ = ["DraftingProvider"]
