"""From the laboratory's history to findings: which failures recur so often that a CAPA is due.

Scopes overlap: a protocol's failures may all be of one model. So each failed execution belongs to one finding at the
most. Protocols are looked at first, then models, then equipment; a later scope counts only what no earlier finding and
no CAPA has taken, and a finding says how its failures are spread over the other kinds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property

from pv_testing.quality import counting
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.capa_texts import capa_data
from pv_testing.quality.finding import KINDS, CapaFinding, Scope, Signal, Stratum
from pv_testing.quality.history import CountedExecution, History
from pv_testing.quality.rise import level, probability

Trials = Sequence[CountedExecution]
Spans = tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The CAPAs of one scope, summed up.

    Attributes:
        number: of the last one; 0 where there was none.
        open: its key while it is open or about to be raised, else empty.
        closed_at: when the last one was closed; only newer failures count.
        dealt_with: times whose failures led to a CAPA, and which therefore don't say what is usual.
    """

    number: int = 0
    open: str = ""
    closed_at: datetime | None = None
    dealt_with: Spans = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What people call things.

    Attributes:
        protocols: names by identifier.
        ncs: ids of non-conformances in the QMS, by execution.
    """

    protocols: Mapping[str, str] = field(default_factory=dict)
    ncs: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Analysis:
    """The result of an analysis.

    Attributes:
        findings: those for which a CAPA is due.
        notes: remarks that raise nothing, such as a busy month.
        failures: failed executions in the longest window.
        modules: distinct modules among them.
        strata: the failures by kind of scope, most modules first.
    """

    findings: list[CapaFinding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: int = 0
    modules: int = 0
    strata: dict[str, list[Stratum]] = field(default_factory=dict)


class Analyst:
    """Looks at one history at one moment.

    Args:
        history: what was tested, at least as far back as window and baseline reach.
        policy: the laboratory's rules.
        at: the moment of the run; its date in its own time zone is the run's date.
        earlier: CAPAs by scope.
        names: what people call things.
    """

    def __init__(
        self,
        history: History,
        policy: CapaPolicy,
        at: datetime,
        earlier: Mapping[str, Earlier] | None = None,
        names: Names | None = None,
    ) -> None:
        self.history = history
        self.policy = policy
        self.at = at
        self.earlier = earlier or {}
        self.names = names or Names()
        self.kinds = ("protocol", *policy.also)
        self._taken: set[str] = set()
        self._analysis = Analysis()
        self._usual: dict[tuple[int, Spans], counting.Usual] = {}
        self._recent = self._window(policy.longest_days - policy.baseline_days)

    def analyse(self) -> Analysis:
        """Return findings and notes."""
        failed = [trial for trial in self._recent if trial.failed]
        self._analysis.failures, self._analysis.modules = len(failed), counting.modules(failed)
        self._analysis.strata = {kind: counting.strata(kind, failed) for kind in KINDS}
        for kind in self.kinds:
            for value in sorted(_values(failed, kind)):
                self._look(Scope(kind, value))
        self._look_at_criteria(failed)
        return self._analysis

    def _window(self, days: int) -> Trials:
        return self.history.between(self.at - timedelta(days=days) + counting.TICK, self.at + counting.TICK)

    def _look(self, scope: Scope) -> None:
        rule, earlier = self.policy.rule_of(scope.kind, scope.value), self.earlier.get(str(scope), Earlier())
        since, trials = self._counted(scope, rule.window_days, earlier)
        failures = [trial for trial in trials if trial.failed and trial.execution_id not in self._taken]
        number = counting.modules(failures)
        if earlier.open:
            self._take(failures)
        if number <= rule.threshold:
            return
        if earlier.open:
            self._analysis.notes.append(f"{scope}: {number} modules failed; its CAPA {earlier.open} isn't closed yet")
            return
        signal = self._signal(scope, trials, failures, earlier)
        if self._due(scope, signal):
            self._take(failures)
            self._analysis.findings.append(self._finding(scope, since, trials, failures, signal))
        elif scope.kind == "protocol":
            self._analysis.notes.append(_busy(scope, failures, trials, signal))

    def _counted(self, scope: Scope, days: int, earlier: Earlier) -> tuple[datetime, list[CountedExecution]]:
        """Return from when on a scope's executions count, and those that do; failures of a closed CAPA are taken."""
        since, trials = self.at - timedelta(days=days), counting.within(scope, self._window(days))
        closed = earlier.closed_at
        if closed is None or closed < since:
            return since, trials
        self._take(trial for trial in trials if trial.completed_at <= closed)
        return closed, [trial for trial in trials if trial.completed_at > closed]

    def _take(self, failures: Iterable[CountedExecution]) -> None:
        self._taken |= {trial.execution_id for trial in failures}

    def _due(self, scope: Scope, signal: Signal) -> bool:
        """Say whether a scope above its threshold raises a finding; the guide has a rule for protocols only."""
        if scope.kind != "protocol":
            return signal.rises
        return signal.rises or not (self.policy.signal_required and signal.known)

    def _signal(self, scope: Scope, trials: Trials, failures: Trials, earlier: Earlier) -> Signal:
        rule = self.policy.rule_of(scope.kind, scope.value)
        compared = counting.comparisons(trials, failures, self._baseline(rule.window_days, earlier.dealt_with))
        usual = [each for each in compared if each.usually_tested]
        tested = sum(each.tested for each in compared)
        scopes = self._scopes
        usually_tested = sum(each.usually_tested for each in usual)
        limit = level(self.policy.false_alarms_per_year, scopes, rule.window_days)
        chance = probability(compared)
        known = usually_tested >= self.policy.minimum_baseline
        expected = sum(each.tested * each.usually_failed / each.usually_tested for each in usual)
        return Signal(
            known=known,
            rises=known and chance < limit,
            probability=chance,
            level=limit,
            usual_rate=round(expected / tested, 6),
            usually_failed=sum(each.usually_failed for each in usual),
            usually_tested=usually_tested,
            scopes=scopes,
        )

    def _baseline(self, days: int, spans: Spans) -> counting.Usual:
        """Return the usual failures before the window, but for times whose failures led to a CAPA of the same scope."""
        if (days, spans) not in self._usual:
            end = self.at - timedelta(days=days) + counting.TICK
            trials = self.history.between(end - timedelta(days=self.policy.baseline_days), end)
            usual = [trial for trial in trials if not _is_within(trial.completed_at, spans)]
            self._usual[days, spans] = counting.usual(usual)
        return self._usual[days, spans]

    @cached_property
    def _scopes(self) -> int:
        """How many scopes are looked at: all that occur in the window, failed or not."""
        return sum(len(_values(self._recent, kind)) for kind in self.kinds)

    def _finding(
        self,
        scope: Scope,
        since: datetime,
        trials: Trials,
        failures: Trials,
        signal: Signal,
    ) -> CapaFinding:
        rule, policy = self.policy.rule_of(scope.kind, scope.value), self.policy
        back = policy.baseline_days // rule.window_days
        finding = CapaFinding(
            key=f"{scope}/{self.earlier.get(str(scope), Earlier()).number + 1}",
            kind=scope.kind,
            value=scope.value,
            at=_stamp(self.at),
            since=_stamp(since),
            window_days=rule.window_days,
            threshold=rule.threshold,
            modules=counting.modules(failures),
            failed=counting.tests(failures),
            tested=counting.tests(trials),
            failures=len(failures),
            signal=signal,
            strata={kind: counting.strata(kind, failures) for kind in KINDS},
            chart=counting.periods(scope, self.history, self.at, days=rule.window_days, back=back),
            executions=[_row(trial, self.names) for trial in failures],
            capa={},
        )
        return capa_data(finding, policy, self.at.date(), self.names.protocols)

    def _look_at_criteria(self, failed: Iterable[CountedExecution]) -> None:
        """Note criteria that many modules fail over several protocols; listings don't tell what is usual for them."""
        by_criterion: dict[str, list[CountedExecution]] = defaultdict(list)
        for trial in failed:
            if trial.execution_id not in self._taken:
                for criterion in trial.criteria:
                    by_criterion[criterion].append(trial)
        for criterion, trials in sorted(by_criterion.items()):
            number, protocols = counting.modules(trials), len({trial.protocol_id for trial in trials})
            if number > self.policy.rule.threshold and protocols > 1:
                self._analysis.notes.append(
                    f"criterion {criterion}: {number} modules failed it in {protocols} protocols; "
                    "a criterion alone raises nothing"
                )


def _values(trials: Iterable[CountedExecution], kind: str) -> set[str]:
    values: set[str] = set()
    for trial in trials:
        values.update(trial.values(kind))
    return values


def _is_within(moment: datetime, spans: Spans) -> bool:
    return any(start <= moment <= end for start, end in spans)


def _busy(scope: Scope, failures: Trials, trials: Trials, signal: Signal) -> str:
    return (
        f"{scope}: {counting.modules(failures)} of {counting.modules(trials)} modules failed, above the threshold, but "
        f"{signal.usual_rate:.1%} is usual (probability {signal.probability:.2g}, a rise counts below "
        f"{signal.level:.2g}), so that it raises nothing"
    )


def _row(trial: CountedExecution, names: Names) -> dict[str, str]:
    return {
        "execution_id": trial.execution_id,
        "sr_number": trial.sr_number,
        "module": trial.module,
        "model": trial.model,
        "protocol_id": trial.protocol_id,
        "completed_at": _stamp(trial.completed_at),
        "criteria": ", ".join(trial.criteria),
        "equipment": ", ".join(trial.equipment),
        "nc": names.ncs.get(trial.execution_id, ""),
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
