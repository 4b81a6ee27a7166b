"""An operation of several requests to Redmine."""

from __future__ import annotations

from pv_testing.contracts.model import OperationSpec
from pv_testing.providers import stepped
from pv_testing.providers.redmine.provider import RedmineProvider


class RedmineOperation(stepped.SteppedOperation):
    """Brings records into effect in Redmine, step by step.

    Args:
        provider: who speaks to Redmine.
        spec: the contract's operation.
    """

    def __init__(self, provider: RedmineProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.redmine = provider
