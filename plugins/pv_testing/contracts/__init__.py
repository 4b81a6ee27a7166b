"""What a provider is spoken to like: the YAML contracts, loaded, validated and compiled."""

from __future__ import annotations

from pv_testing.contracts.fields import FieldMap
from pv_testing.contracts.load import load_contract
from pv_testing.contracts.mapping import load_field_mappings, validate_mapping
from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.contracts.request_template import Request
from pv_testing.core.errors import MappingError

__all__ = [
    "Contract",
    "FieldMap",
    "MappingError",
    "OperationSpec",
    "Request",
    "load_contract",
    "load_field_mappings",
    "validate_mapping",
]
