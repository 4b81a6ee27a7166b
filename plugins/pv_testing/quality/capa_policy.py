"""When failures recur so often that a CAPA is due, and what it says: ``capa.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from pv_testing.config.policy import Policy
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.core.model import Model, Names, Text, distinct

NAMES = ("name", "scope", "modules", "days", "key")


def _fillable(text: str) -> str:
    try:
        text.format(**dict.fromkeys(NAMES, ""))
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        known = ", ".join(f"{{{name}}}" for name in NAMES)
        message = f"can't be filled in ({error}); it may contain {known}, and a brace is written twice"
        raise ValueError(message) from None
    return text


Template = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="Text; {name}, {scope}, {modules}, {days} and {key} stand for what was found.",
    ),
    AfterValidator(_fillable),
]


class RecurrenceRule(Model):
    """The guide's rule for one scope: more than so many modules in so many days."""

    window_days: int = Field(30, ge=1, le=366, description="How many days back failures count; 30 without it.")
    threshold: int = Field(5, ge=0, description="A CAPA is due when more modules than this have failed; 5 without it.")


class Approval(Model):
    """Whether and whom the run asks before it raises a CAPA."""

    required: bool = Field(default=True, description="Whether it asks at all; true without it.")
    approvers: Names = Field(
        (),
        description=("Ids of the Airflow users who may answer; anyone who may edit the DAG's tasks without it."),
    )
    four_eyes: bool = Field(
        default=True,
        description="Whether whoever has started the run may not approve what it has found; true without it.",
    )
    hours: float = Field(20.0, gt=0, le=336, description="How long the question waits for an answer; 20 without it.")

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


class CapaAction(Model):
    """Who is to do what by when."""

    description: Template
    responsible: Text = Field(description="Who is to do it.")
    days: int = Field(ge=0, le=3650, description="Due so many days after the run.")


Also = Annotated[
    tuple[Literal["model", "equipment"], ...],
    Field(strict=False, json_schema_extra={"uniqueItems": True}),
    AfterValidator(distinct),
]


class CapaPolicy(RecurrenceRule, Policy):
    """The laboratory's rules for CAPAs; its own window and threshold hold where a protocol has none."""

    NAME: ClassVar[str] = "capa"
    model_config = ConfigDict(title="When failures recur so often that a CAPA is due, and what it says")

    title: Template
    root_cause: Template
    corrective_action: CapaAction
    preventive_action: CapaAction
    effectiveness_criteria: Template
    protocols: Mapping[str, RecurrenceRule] = Field({}, description="Where a protocol differs, by its identifier.")
    also: Also = Field(("model", "equipment"), description="What is looked at beside the protocols; both without it.")
    baseline_days: int = Field(
        365, ge=30, le=3650, description="How many days before the window say what is usual; 365 without it."
    )
    minimum_baseline: int = Field(
        30, ge=1, description="With fewer tests in the baseline nothing is known to be usual; 30 without it."
    )
    signal: Literal["required", "stated"] = Field(
        "required",
        description="Whether the rate must be higher than usual beside the threshold; required without it.",
    )
    false_alarms_per_year: float = Field(
        1.0,
        gt=0,
        le=365,
        description="How many findings a year chance alone may raise in the whole laboratory; 1 without it.",
    )
    approval: Approval = Approval()

    @property
    def signal_required(self) -> bool:
        """Whether the rate must be higher than usual beside the threshold."""
        return self.signal == "required"

    @property
    def rule(self) -> RecurrenceRule:
        """The guide's rule, where a protocol has none of its own."""
        return RecurrenceRule.model_construct(window_days=self.window_days, threshold=self.threshold)

    def rule_of(self, kind: str, value: str) -> RecurrenceRule:
        """Return the rule of a scope.

        Args:
            kind: ``protocol``, ``model`` or ``equipment``.
            value: which of them.
        """
        own = self.protocols.get(value) if kind == "protocol" else None
        return self.rule.model_copy(update=own.given()) if own else self.rule

    @property
    def longest_days(self) -> int:
        """How many days back the analysis looks in all."""
        windows = (self.rule_of("protocol", each).window_days for each in self.protocols)
        return self.baseline_days + max([self.window_days, *windows])
