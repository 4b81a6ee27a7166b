"""Tries a contract on a system: nothing that it says is believed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pv_testing.config import SystemConfig
from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.core.errors import DataError, IntegrationError, Rejected
from pv_testing.core.sync import run
from pv_testing.integrations import connect
from pv_testing.ledger import Ledger
from pv_testing.providers.rest import RestProvider
from pv_testing.testing import absence, changing, creating, listing, once, states, words
from pv_testing.testing.cleaning import cleaned
from pv_testing.testing.example import Setting
from pv_testing.testing.examples import EXAMPLES, service_request
from pv_testing.testing.finding import (
    ABSENT,
    BULK,
    CREATE,
    HORIZON,
    IDENTITY,
    LIST,
    ONCE,
    STATES,
    UPDATE,
    WORDS,
    Finding,
    Verdict,
)
from pv_testing.testing.recorder import Recorder
from pv_testing.testing.trial import Findings, Trial, Waits

PATIENCE = 30.0
MARK = "PVTRY-"
Given = Mapping[str, Mapping[str, Any]]
Check = Callable[[Trial], Findings]

RECORDS: Sequence[tuple[str, Check]] = (
    (CREATE, creating.one),
    (BULK, creating.many),
    (ABSENT, absence.ten),
    (LIST, listing.listed),
    (UPDATE, changing.one),
    (UPDATE, changing.many),
    (WORDS, words.every_word),
    (ONCE, once.withheld),
)
STATES_OF_RECORDS: Sequence[tuple[str, Check]] = (
    (STATES, states.each_word),
    (BULK, states.together),
    (ONCE, states.withheld),
)
ELSE = "; where the record must say something else here, give it (--records)"
PARTS = {BULK: "bulk", ABSENT: "find", UPDATE: "on_change", ONCE: "find"}
"""The part of an operation that an error in a check is about."""


def try_system(
    config: SystemConfig,
    *,
    given: Given | None = None,
    patience: float = PATIENCE,
    tell: Callable[[Finding], None] = lambda _: None,
) -> list[Finding]:
    """Create marked records in a test system as its contract says, and hold each answer against the contract.

    Args:
        config: the system's part of the configuration.
        given: what the records must say here besides, by kind: people, customers and items that the system knows.
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

    def __init__(self, config: SystemConfig, given: Given, patience: float, tell: Callable[[Finding], None]) -> None:
        self._config = config
        self._given = given
        self._patience = patience
        self._tell = tell
        self._recorder = Recorder()
        self._waits = Waits()
        self._findings: list[Finding] = []

    async def run(self) -> list[Finding]:
        """Try everything and return what was found."""
        with Ledger.in_memory(quiet=True) as ledger:
            async with connect(self._config, ledger=ledger, owner="trial") as client:
                provider = await client.provider()
                provider.session.watch = self._recorder
                await self._try(provider)
        return self._findings

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
                trial = Trial(provider, spec, example, setting, self._recorder, self._waits, self._patience)
                await self._carry_out(trial, STATES_OF_RECORDS if example.states else RECORDS)
        for spec in provider.contract.operations.values():
            if spec.kind and spec.kind not in EXAMPLES:
                said = f"can't be tried: the suite has no record of kind {spec.kind}"
                self._add(Finding(CREATE, f"operations.{spec.name}", said, Verdict.SKIPPED))
        self._add(self._horizon(provider.contract))
        async for finding in cleaned(provider, setting, self._recorder):
            self._add(finding)

    async def _carry_out(self, trial: Trial, checks: Sequence[tuple[str, Check]]) -> None:
        """Run the checks of one operation; where the first of them fails, the others would only say so again."""
        for name, check in checks:
            try:
                async for finding in check(trial):
                    self._add(finding)
            except IntegrationError as error:
                finding = trial.raised(name, PARTS.get(name, ""), error)
                refused = name == CREATE and isinstance(error, (DataError, Rejected))
                self._add(replace(finding, said=f"{finding.said}{ELSE}") if refused else finding)
            if name == CREATE and self._findings[-1].verdict is Verdict.FAILS:
                return

    async def _identified(self, provider: RestProvider) -> bool:
        try:
            who = await provider.identity()
        except IntegrationError as error:
            said = f"{error.message} [{error.code}]"
            if error.code == "NO_IDENTITY":
                self._add(Finding(IDENTITY, "identity", said, Verdict.SKIPPED))
                return True
            self._add(Finding(IDENTITY, "identity", said, Verdict.FAILS, self._recorder.last()))
            return False
        self._add(Finding(IDENTITY, "identity", f"the system knows us as {who}"))
        return True

    async def _service_request(self, provider: RestProvider, setting: Setting) -> None:
        """Create the service request whose state is to be tried, in the framework."""
        if not _of_kind(provider.contract, "sr_status") or "create_service_request" not in provider.contract.operations:
            return
        key = "operations.create_service_request"
        try:
            said = await provider.call("create_service_request", **service_request(setting))
        except IntegrationError as error:
            text = f"{error.message} [{error.code}]"
            self._add(Finding(CREATE, key, text, Verdict.FAILS, self._recorder.last()))
        else:
            setting.ids["service_request"] = [str(said["id"])]
            self._add(Finding(CREATE, key, f"service request {said['id']} was created"))

    def _horizon(self, contract: Contract) -> Finding:
        longest, horizon = self._waits.longest, contract.limits.horizon
        if not self._waits.where:
            return Finding(HORIZON, "limits.horizon", "nothing was found, so it can't be measured", Verdict.SKIPPED)
        measured = f"a record of {self._waits.where} took {longest:.2f} s to be found, the longest of all"
        if longest > horizon:
            said = f"{horizon:g} s is too short: {measured}; records would be doubled"
            return Finding(HORIZON, "limits.horizon", said, Verdict.FAILS, self._waits.shown)
        return Finding(HORIZON, "limits.horizon", f"{horizon:g} s is long enough: {measured}")

    def _add(self, finding: Finding) -> None:
        self._findings.append(finding)
        self._tell(finding)


def _of_kind(contract: Contract, kind: str) -> list[OperationSpec]:
    return [spec for spec in contract.operations.values() if spec.kind == kind]


def _unmet(spec: OperationSpec, missing: Sequence[str]) -> Finding:
    said = f"can't be tried: it needs a record of kind {', '.join(missing)}, and there is none"
    return Finding(CREATE, f"operations.{spec.name}", said, Verdict.SKIPPED)
