"""Tries a contract on a system: nothing that it says is believed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from pv_testing.config import SystemConfig
from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.core.errors import (
    AmbiguousOutcome,
    ConfigError,
    DataError,
    IntegrationError,
    NetworkError,
    RateLimited,
    Rejected,
)
from pv_testing.core.reasons import Reason
from pv_testing.core.sync import run
from pv_testing.integrations import connect
from pv_testing.integrations.client import SystemClient
from pv_testing.ledger import Ledger
from pv_testing.providers.by_files import ByFiles
from pv_testing.providers.registry import provider_of
from pv_testing.providers.rest import RestProvider
from pv_testing.testing import absence, changing, creating, listing, once, states, unknown, words
from pv_testing.testing.blame import blamed
from pv_testing.testing.cleaning import cleaned
from pv_testing.testing.delivering import Lost
from pv_testing.testing.example import Example, Setting
from pv_testing.testing.examples import EXAMPLES, service_request
from pv_testing.testing.finding import (
    ABSENT,
    BULK,
    CLEAN,
    CREATE,
    HORIZON,
    IDENTITY,
    LIST,
    ONCE,
    REFUSED,
    STATES,
    UPDATE,
    WORDS,
    TrialFinding,
    TrialVerdict,
)
from pv_testing.testing.recorder import Recorder
from pv_testing.testing.trial import ContractTrial, Findings, Waits
from pv_testing.testing.watched_store import WatchedStore

PATIENCE = 30.0
MARK = "PVTRY-"
Given = Mapping[str, Mapping[str, Any]]
Check = Callable[[ContractTrial], Findings]

RECORDS: Sequence[tuple[str, Check]] = (
    (CREATE, creating.one),
    (BULK, creating.many),
    (ABSENT, absence.ten),
    (LIST, listing.listed),
    (UPDATE, changing.one),
    (UPDATE, changing.many),
    (WORDS, words.every_word),
    (ONCE, once.withheld),
    (REFUSED, unknown.refused),
)
STATES_OF_RECORDS: Sequence[tuple[str, Check]] = (
    (STATES, states.each_word),
    (BULK, states.together),
    (ONCE, states.withheld),
    (REFUSED, unknown.refused),
)
ELSE = {
    CREATE: "; where the record must say something else here, give it (--records)",
    UPDATE: "; where something else may change here, give it as `changed` (--records)",
}
"""The advice for a refused record or change."""
PARTS = {BULK: "bulk", ABSENT: "find", UPDATE: "on_change", ONCE: "find"}
"""The part of an operation that an error in a check is about."""


def try_system(
    config: SystemConfig,
    *,
    given: Given | None = None,
    patience: float = PATIENCE,
    tell: Callable[[TrialFinding], None] = lambda _: None,
) -> list[TrialFinding]:
    """Create marked records in a test system as its contract says, and hold each answer against the contract.

    Args:
        config: the system's part of the configuration.
        given: fields that the records must have besides, by kind: people, customers and items that the system knows.
        patience: seconds after which a record that a look-up doesn't find is given up.
        tell: called with each finding as soon as there is one.

    Returns:
        All findings; the contract is right where none of them ``FAILS``.

    Raises:
        ConfigError: the contract or the configuration can't be used.
    """
    return run(_Suite(config, given or {}, patience, tell).run())


class _Suite:
    """The trial of one system."""

    def __init__(
        self, config: SystemConfig, given: Given, patience: float, tell: Callable[[TrialFinding], None]
    ) -> None:
        self._config = config
        self._given = given
        self._patience = patience
        self._tell = tell
        self._recorder = Recorder()
        self._waits = Waits()
        self._findings: list[TrialFinding] = []

    async def run(self) -> list[TrialFinding]:
        """Try everything and return the findings."""
        with Ledger.in_memory(quiet=True) as ledger:
            async with connect(self._config, ledger=ledger, owner="trial") as client:
                provider = await self._provider(client)
                provider.session.watch = self._recorder
                if isinstance(provider, ByFiles):
                    provider.store = WatchedStore(provider.store, self._recorder)
                await self._try(provider)
        return self._findings

    async def _provider(self, client: SystemClient) -> RestProvider:
        try:
            return await client.provider()
        except IntegrationError:
            raise
        except Exception as error:
            chosen = provider_of(client.contract, client.config)
            raise ConfigError(blamed(error, chosen), system=client.system) from error

    async def _try(self, provider: RestProvider) -> None:
        if not await self._identified(provider):
            return
        setting = Setting(f"{MARK}{secrets.token_hex(4).upper()}", provider.contract, self._given)
        await self._service_request(provider, setting)
        for kind, example in EXAMPLES.items():
            for spec in _of_kind(provider.contract, kind):
                missing = setting.lacks(example.needs)
                if missing:
                    self._add(_unmet(spec, missing))
                    continue
                if kind == "result":
                    await self._received(provider, setting)
                await self._operation(provider, spec, example, setting)
        for spec in provider.contract.operations.values():
            if spec.kind and spec.kind not in EXAMPLES:
                message = f"can't be tried: the suite has no record of kind {spec.kind}"
                self._add(TrialFinding(CREATE, f"operations.{spec.name}", message, TrialVerdict.SKIPPED))
        self._add(self._horizon(provider.contract))
        await self._collect(
            cleaned(provider, setting, self._recorder),
            lambda error: TrialFinding(CLEAN, "operations", blamed(error, type(provider)), TrialVerdict.FAILS),
        )

    async def _operation(self, provider: RestProvider, spec: OperationSpec, example: Example, setting: Setting) -> None:
        """Run the checks of one operation; stop when the first fails: the others would fail for the same cause."""
        try:
            trial = ContractTrial(provider, spec, example, setting, self._recorder, self._waits, self._patience)
        except Exception as error:  # noqa: BLE001 - the code of a site may raise anything
            self._add(
                TrialFinding(CREATE, f"operations.{spec.name}", blamed(error, type(provider)), TrialVerdict.FAILS)
            )
            return
        checks = STATES_OF_RECORDS if example.states else RECORDS
        for name, check in checks:
            await self._collect(check(trial), partial(_raised, trial, name))
            if name == CREATE and self._findings[-1].verdict is TrialVerdict.FAILS:
                break
        for finding in trial.noted(checks[0][0]):
            self._add(finding)

    async def _received(self, provider: RestProvider, setting: Setting) -> None:
        """Set the sample of the results to received, as a laboratory does before it measures.

        An error here shows again in the trials of results and states.
        """
        example = EXAMPLES["sample_status"]
        first = replace(setting, ids={"sample": [setting.first("sample")]})
        with suppress(Exception):
            for spec in _of_kind(provider.contract, "sample_status"):
                trial = ContractTrial(provider, spec, example, first, self._recorder, self._waits, self._patience)
                item = trial.at(0)
                match = (await trial.look_up([item])).get(item.key)
                if match is None or not match.in_effect:
                    await trial.send([item])

    async def _collect(self, findings: Findings, raised: Callable[[Exception], TrialFinding]) -> None:
        """Take findings, and the finding that ``raised`` makes of an error that ends them."""
        try:
            async for finding in findings:
                self._add(finding)
        except Exception as error:  # noqa: BLE001 - the code of a site may raise anything
            self._add(raised(error))

    async def _identified(self, provider: RestProvider) -> bool:
        try:
            who = await provider.identity()
        except IntegrationError as error:
            message = f"{error.message} [{error.code}]"
            if error.code == Reason.NO_IDENTITY:
                self._add(TrialFinding(IDENTITY, "identity", message, TrialVerdict.SKIPPED))
                return True
            self._add(TrialFinding(IDENTITY, "identity", message, TrialVerdict.FAILS, self._recorder.last()))
            return False
        except Exception as error:  # noqa: BLE001 - the code of a site may raise anything
            self._add(TrialFinding(IDENTITY, "identity", blamed(error, type(provider)), TrialVerdict.FAILS))
            return False
        self._add(TrialFinding(IDENTITY, "identity", f"the system knows us as {who}"))
        return True

    async def _service_request(self, provider: RestProvider, setting: Setting) -> None:
        """Create the service request whose state is to be tried, in the framework."""
        if not _of_kind(provider.contract, "sr_status") or "create_service_request" not in provider.contract.operations:
            return
        key = "operations.create_service_request"
        try:
            number = await self._new_service_request(provider, key, setting)
        except IntegrationError as error:
            text = f"{error.message} [{error.code}]"
            self._add(TrialFinding(CREATE, key, text, TrialVerdict.FAILS, self._recorder.last()))
        except Exception as error:  # noqa: BLE001 - the code of a site may raise anything
            self._add(TrialFinding(CREATE, key, blamed(error, type(provider)), TrialVerdict.FAILS))
        else:
            setting.ids["service_request"] = [number]
            self._add(TrialFinding(CREATE, key, f"service request {number} was created"))

    async def _new_service_request(self, provider: RestProvider, key: str, setting: Setting) -> str:
        """Create a service request and return its id; another one in the place of one whose answer was lost."""
        request = service_request(setting)
        try:
            answer = await provider.call("create_service_request", **request)
        except (AmbiguousOutcome, NetworkError, RateLimited) as error:
            lost = Lost([], 1, error, ())
            self._add(
                TrialFinding(CREATE, key, f"{lost.how}; another record was sent in its place", TrialVerdict.NOTED)
            )
            answer = await provider.call("create_service_request", **request)
        return str(answer["id"])

    def _horizon(self, contract: Contract) -> TrialFinding:
        waits, horizon = self._waits, contract.limits.horizon
        measured = f"a record of {waits.where} took {waits.longest:.2f} s to be found, the longest of all"
        if waits.where and waits.longest > horizon:
            message = f"{horizon:g} s is too short: {measured}; records would be doubled"
            return TrialFinding(HORIZON, "limits.horizon", message, TrialVerdict.FAILS, waits.shown)
        carrying = [spec for spec in contract.operations.values() if spec.kind]
        if carrying and all(spec.files for spec in carrying):
            message = "isn't needed: the answers to files say what took effect, however late they come"
            return TrialFinding(HORIZON, "limits.horizon", message, TrialVerdict.SKIPPED)
        cause = self._unmeasured()
        if cause:
            return TrialFinding(HORIZON, "limits.horizon", f"can't be measured: {cause}", TrialVerdict.SKIPPED)
        return TrialFinding(HORIZON, "limits.horizon", f"{horizon:g} s is long enough: {measured}")

    def _unmeasured(self) -> str:
        """Say why no time was measured that could show a horizon to be long enough; nothing where one was."""
        if self._waits.never:
            return f"a record of {self._waits.never[0]} was never found within {self._patience:g} s"
        if not self._waits.where:
            return "nothing was looked up"
        return "" if self._waits.searched else "records were only read by their ids, and none was searched by its key"

    def _add(self, finding: TrialFinding) -> None:
        self._findings.append(finding)
        self._tell(finding)


def _raised(trial: ContractTrial, check: str, error: Exception) -> TrialFinding:
    """Return the finding of an error, with advice where the system may have refused the example record."""
    finding = trial.raised(check, PARTS.get(check, ""), error)
    advice = ELSE.get(check, "") if isinstance(error, (DataError, Rejected)) else ""
    return replace(finding, message=f"{finding.message}{advice}")


def _of_kind(contract: Contract, kind: str) -> list[OperationSpec]:
    return [spec for spec in contract.operations.values() if spec.kind == kind]


def _unmet(spec: OperationSpec, missing: Sequence[str]) -> TrialFinding:
    message = f"can't be tried: it needs a record of kind {', '.join(missing)}, and there is none"
    return TrialFinding(CREATE, f"operations.{spec.name}", message, TrialVerdict.SKIPPED)
