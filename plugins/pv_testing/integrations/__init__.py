"""The clients of the systems, with the names and arguments of the integration guide."""

from __future__ import annotations

from pv_testing.contracts.mapping import validate_mapping
from pv_testing.core.errors import AuthenticationError, IntegrationError, MappingError, NetworkError
from pv_testing.integrations.connecting import connect
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.lims import LIMSClient
from pv_testing.integrations.pm import PMClient
from pv_testing.integrations.qms import QMSClient
from pv_testing.integrations.retrying import retry
from pv_testing.integrations.transformer import DataTransformer

__all__ = [
    "AuthenticationError",
    "DataTransformer",
    "ERPClient",
    "FrameworkClient",
    "IntegrationError",
    "LIMSClient",
    "MappingError",
    "NetworkError",
    "PMClient",
    "QMSClient",
    "connect",
    "retry",
    "validate_mapping",
]
