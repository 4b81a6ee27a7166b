"""How the laboratory keeps its projects: ``projects.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from pv_testing.config.policy import ZonedPolicy
from pv_testing.core.model import Model, Names, Text, Written

MEAN = "mean"
DURATION = "duration"
ROLES = ("operator", "engineer")


def _decimal(number: float) -> Decimal:
    return Decimal(str(number))


class HoursRule(Model):
    """How long an operator works on one execution of a protocol."""

    ratio: Annotated[Decimal, Written(Annotated[float, Field(ge=0, le=1)], _decimal)] = Field(
        Decimal(1), description="a share from 0 to 1 of the execution's time; 1 without it"
    )
    cap: Annotated[Decimal, Written(Annotated[float, Field(gt=0)], _decimal)] = Field(
        Decimal(8), description="hours above 0, the most for one execution; 8 without it"
    )


def _says_something(rule: HoursRule) -> HoursRule:
    if not rule.given():
        raise ValueError("must not be empty")
    return rule


OwnHours = Annotated[HoursRule, AfterValidator(_says_something), Field(json_schema_extra={"minProperties": 1})]


class OperatorHours(HoursRule):
    """What an operator works on one execution. Equipment always counts from start to end."""

    protocols: Mapping[str, OwnHours] = Field(
        {}, description="Protocols that differ, by identifier; what an entry doesn't say is as above."
    )


class ProjectRules(ZonedPolicy):
    """The laboratory's rules of project management."""

    NAME: ClassVar[str] = "projects"
    model_config = ConfigDict(title="How the laboratory keeps its projects")

    progress: Literal["mean", "duration"] = Field(
        "mean",
        description=(
            "Whether a service request's progress is the mean of its protocols, or each counts as many hours as it "
            "takes; mean without it."
        ),
    )
    operator_hours: OperatorHours = OperatorHours()
    roles: Names = Field(
        ROLES,
        description=(
            "Who is assigned to a protocol: of the first of these roles that somebody active has; operator, then "
            "engineer without it; nobody with an empty list."
        ),
    )
    project: Text = Field("", description="The project, in project management, of service requests that name none.")

    def hours_rule(self, protocol_id: str) -> HoursRule:
        """Return how long an operator works on an execution of a protocol."""
        usual = {"ratio": self.operator_hours.ratio, "cap": self.operator_hours.cap}
        own = self.operator_hours.protocols.get(protocol_id)
        return HoursRule.model_construct(**{**usual, **(own.given() if own else {})})
