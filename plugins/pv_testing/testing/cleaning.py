"""Removes the records of a trial where the contract can, and reports the records that stay."""

from __future__ import annotations

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import IntegrationError
from pv_testing.providers.rest import RestProvider
from pv_testing.testing.example import Setting
from pv_testing.testing.finding import CLEAN, TrialFinding, TrialVerdict
from pv_testing.testing.recorder import Recorder
from pv_testing.testing.trial import Findings

DELETE = "delete_"


async def cleaned(provider: RestProvider, setting: Setting, recorder: Recorder) -> Findings:
    """Delete the created records, the newest kinds first, with the operations called ``delete_`` and the kind."""
    for kind, ids in reversed(setting.ids.items()):
        name = f"{DELETE}{kind}"
        spec = setting.contract.operations.get(name)
        if spec is None or not spec.call.path.names:
            message = f"the contract has none; {len(ids)} records of kind {kind} stay, marked {setting.mark}"
            yield TrialFinding(CLEAN, f"operations.{name}", message, TrialVerdict.SKIPPED)
        else:
            yield await _deleted(provider, spec, kind, ids, recorder)


async def _deleted(
    provider: RestProvider, spec: OperationSpec, kind: str, ids: list[str], recorder: Recorder
) -> TrialFinding:
    key = f"operations.{spec.name}"
    parameter = spec.call.path.names[0]
    for external_id in ids:
        try:
            await provider.call(spec.name, **{parameter: external_id})
        except IntegrationError as error:
            message = f"{external_id} can't be deleted: {error.message} [{error.code}]"
            return TrialFinding(CLEAN, key, message, TrialVerdict.FAILS, recorder.last())
    return TrialFinding(CLEAN, key, f"{len(ids)} records of kind {kind} were deleted")
