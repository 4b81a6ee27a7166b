"""Lineage: which field of which system becomes which field of another one, and how; imports no OpenLineage."""

from pv_testing.lineage.columns import Column, ColumnSource
from pv_testing.lineage.flows import Flow, flows_of

__all__ = ["Column", "ColumnSource", "Flow", "flows_of"]
