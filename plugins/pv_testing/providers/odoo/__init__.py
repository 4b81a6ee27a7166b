"""Odoo: invoices by calls of its models, over JSON-2 (19 and later) or XML-RPC (before)."""

from pv_testing.providers.odoo.provider import OdooProvider
from pv_testing.providers.odoo.xmlrpc import OdooXmlRpcProvider

__all__ = ["OdooProvider", "OdooXmlRpcProvider"]
