"""When failures recur so often that a CAPA is due, and what it says: ``capa.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pv_testing.core.errors import ConfigError, DataError

NAMES = ("name", "scope", "modules", "days", "key")
REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """The guide's rule for one scope: more than so many modules in so many days.

    Attributes:
        window_days: how many days back failures count.
        threshold: a CAPA is due when more modules than this have failed.
    """

    window_days: int = 30
    threshold: int = 5


@dataclass(frozen=True, slots=True)
class Approval:
    """Whether and whom the run asks before it raises a CAPA.

    Attributes:
        required: whether it asks at all.
        approvers: ids of the Airflow users who may answer; anyone who may edit the tasks where there are none.
        hours: how long the question waits.
        four_eyes: whether the user who started the run may not approve its finding.
    """

    required: bool = True
    approvers: tuple[str, ...] = ()
    hours: float = 20.0
    four_eyes: bool = True

    def asked(self, starter: str) -> tuple[str, ...]:
        """Return who may answer; empty for anyone who may edit the tasks.

        Args:
            starter: who has started the run; empty where its schedule did.

        Raises:
            ConfigError: no approver is left (``FOUR_EYES``).
        """
        others = tuple(user for user in self.approvers if not (self.four_eyes and user == starter))
        if self.approvers and not others:
            message = (
                f"capa.yaml: approval.approvers names only {starter}, who has started this run and can't approve what "
                "it has found: name another one, or let the schedule start the run"
            )
            raise ConfigError(message, code="FOUR_EYES")
        return others

    def refuse(self, by: Collection[str], starter: str) -> None:
        """Refuse an approval that isn't this person's to give.

        Args:
            by: the names under which Airflow knows who has answered.
            starter: who has started the run; empty where its schedule did.

        Raises:
            DataError: one who isn't among the approvers, or who has started the run (``FOUR_EYES``).
        """
        name = next(iter(by), "somebody")
        if self.approvers and not set(by) & set(self.approvers):
            raise DataError(f"{name} isn't among the approvers of capa.yaml; the next run asks again", code="FOUR_EYES")
        if self.four_eyes and starter and starter in by:
            message = (
                f"{name} has started this run and can't approve what it has found; nothing is raised, the next run "
                "asks again: let the schedule start it, or somebody else answer"
            )
            raise DataError(message, code="FOUR_EYES")


@dataclass(frozen=True, slots=True)
class CapaAction:
    """Who is to do what by when.

    Attributes:
        description: what is to be done, as a template.
        responsible: who is to do it.
        days: from the run to the day by which it is due.
    """

    description: str
    responsible: str
    days: int


@dataclass(frozen=True)
class CapaPolicy:
    """The laboratory's rules for CAPAs.

    Attributes:
        title: of a CAPA, as a template.
        root_cause: what is said of the cause while it isn't known, as a template.
        corrective_action: what removes the cause.
        preventive_action: what keeps it from coming back.
        effectiveness_criteria: how it is seen that both help, as a template.
        rule: the guide's rule.
        protocols: where a protocol's rule differs, by its identifier.
        also: what is looked at beside protocols.
        baseline_days: how many days before the window say what is usual.
        minimum_baseline: with fewer tests in the baseline nothing is known to be usual.
        signal_required: whether the rate must be higher than usual beside the threshold.
        false_alarms_per_year: that chance alone may raise in the whole laboratory.
        approval: whether and whom the run asks.
    """

    title: str
    root_cause: str
    corrective_action: CapaAction
    preventive_action: CapaAction
    effectiveness_criteria: str
    rule: RecurrenceRule = field(default_factory=RecurrenceRule)
    protocols: Mapping[str, RecurrenceRule] = field(default_factory=dict)
    also: tuple[str, ...] = ("model", "equipment")
    baseline_days: int = 365
    minimum_baseline: int = 30
    signal_required: bool = True
    false_alarms_per_year: float = 1.0
    approval: Approval = field(default_factory=Approval)

    @classmethod
    def read(cls, path: str | Path | None = None) -> CapaPolicy:
        """Read ``capa.yaml``.

        Args:
            path: the file; the one beside the configuration file by default.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        from pv_testing.config.policy import read_policy

        return cls.of(read_policy("capa", path))

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> CapaPolicy:
        """Return the rules that a mapping of the shape of ``capa.yaml`` describes.

        Raises:
            ConfigError: a template speaks of what there isn't.
        """
        rule = RecurrenceRule(**{name: said[name] for name in ("window_days", "threshold") if name in said})
        usual = {"window_days": rule.window_days, "threshold": rule.threshold}
        given = ("baseline_days", "minimum_baseline", "false_alarms_per_year")
        approval = dict(said.get("approval") or {})
        return cls(
            title=_template("title", said["title"]),
            root_cause=_template("root_cause", said["root_cause"]),
            corrective_action=_action("corrective_action", said["corrective_action"]),
            preventive_action=_action("preventive_action", said["preventive_action"]),
            effectiveness_criteria=_template("effectiveness_criteria", said["effectiveness_criteria"]),
            rule=rule,
            protocols={name: RecurrenceRule(**{**usual, **own}) for name, own in (said.get("protocols") or {}).items()},
            also=tuple(said.get("also", cls.also)),
            signal_required=said.get("signal", REQUIRED) == REQUIRED,
            approval=Approval(**{**approval, "approvers": tuple(approval.get("approvers") or ())}),
            **{name: said[name] for name in given if name in said},
        )

    def rule_of(self, kind: str, value: str) -> RecurrenceRule:
        """Return the rule of a scope.

        Args:
            kind: ``protocol``, ``model`` or ``equipment``.
            value: which of them.
        """
        return self.protocols.get(value, self.rule) if kind == "protocol" else self.rule

    @property
    def longest_days(self) -> int:
        """How many days back the analysis looks in all."""
        return self.baseline_days + max(rule.window_days for rule in (self.rule, *self.protocols.values()))


def _action(key: str, said: Mapping[str, Any]) -> CapaAction:
    return CapaAction(_template(f"{key}.description", said["description"]), said["responsible"], said["days"])


def _template(key: str, text: str) -> str:
    try:
        text.format(**dict.fromkeys(NAMES, ""))
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        known = ", ".join(f"{{{name}}}" for name in NAMES)
        message = f"capa.yaml: {key} can't be filled in ({error}); it may contain {known}, and a brace is written twice"
        raise ConfigError(message) from None
    return text
