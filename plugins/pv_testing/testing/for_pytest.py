"""The conformance suite as a test class, for the tests of a site or of a vendor's package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from pv_testing.config import SystemConfig
from pv_testing.testing.finding import CHECKS, TrialFinding, TrialVerdict
from pv_testing.testing.suite import PATIENCE, try_system


class ContractTests:
    """Inherited by the tests of a contract, which give a fixture ``system`` of class scope.

    Attributes:
        given: fields that the records must have besides the examples', by kind.
        patience: seconds after which a record that a look-up doesn't find is given up.
    """

    given: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    patience: ClassVar[float] = PATIENCE

    @pytest.fixture(scope="class")
    @classmethod
    def findings(cls, system: SystemConfig) -> list[TrialFinding]:
        """Try the contract once for all tests of the class."""
        return try_system(system, given=cls.given, patience=cls.patience)

    @pytest.mark.parametrize("check", CHECKS)
    def test_contract(self, findings: list[TrialFinding], check: str) -> None:
        """One check finds nothing wrong."""
        of_check = [finding for finding in findings if finding.check == check]
        failed = [str(finding) for finding in of_check if finding.verdict is TrialVerdict.FAILS]
        assert not failed, "\n".join(failed)
        if not any(finding.verdict is TrialVerdict.HOLDS for finding in of_check):
            pytest.skip("; ".join(str(finding) for finding in of_check) or "the contract offers nothing to try")
