"""What the CAPA of a finding says: facts from the analysis, hypotheses and duties from the laboratory's templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pv_testing.quality.capa_policy import CapaAction, CapaPolicy
from pv_testing.quality.finding import CapaFinding

TITLE_LENGTH = 255
_WORDS = {"protocol": "protocol", "model": "modules of the model", "equipment": "tests on the equipment"}


def capa_data(finding: CapaFinding, policy: CapaPolicy, day: date, protocols: Mapping[str, str]) -> CapaFinding:
    """Return the finding with the record of its CAPA.

    Args:
        finding: without it.
        policy: templates, responsible persons and days.
        day: the run's date, from which target dates count.
        protocols: names of the protocols, by identifier.
    """
    name = name_of(finding, protocols)
    words = {
        "name": name,
        "scope": finding.scope,
        "modules": finding.modules,
        "days": finding.window_days,
        "key": finding.key,
    }
    related = sorted({str(row["nc"]) for row in finding.executions if row["nc"]})
    data: dict[str, Any] = {
        "capa_key": finding.key,
        "scope": finding.scope,
        "title": policy.title.format(**words)[:TITLE_LENGTH],
        "problem_statement": problem(finding, name),
        "root_cause": policy.root_cause.format(**words).strip(),
        "corrective_action": _action(policy.corrective_action, day, words),
        "preventive_action": _action(policy.preventive_action, day, words),
        "effectiveness_criteria": policy.effectiveness_criteria.format(**words).strip(),
        **({"protocol_id": finding.value} if finding.kind == "protocol" else {}),
        **({"related_ncs": related} if related else {}),
    }
    return replace(finding, capa=data)


def name_of(finding: CapaFinding, protocols: Mapping[str, str]) -> str:
    """Return what people call the scope of a finding, such as ``Thermal Cycling (PVTP-018)``."""
    if finding.kind == "protocol":
        known = protocols.get(finding.value)
        return f"{known} ({finding.value})" if known else finding.value
    return f"{_WORDS[finding.kind]} {finding.value}"


def problem(finding: CapaFinding, name: str) -> str:
    """Return the problem statement: the facts, in sentences with numbers."""
    facts = (
        f"{finding.modules} modules failed {name} from {finding.since[:10]} to {finding.at[:10]}: "
        f"{finding.failures} failed executions, {finding.failed} of {finding.tested} tests "
        f"({finding.failed / finding.tested:.1%}). The threshold is more than {finding.threshold} modules "
        f"in {finding.window_days} days."
    )
    lines = [facts, usual(finding)]
    lines += [line for kind, line in strata(finding).items() if kind != finding.kind]
    return "\n".join(lines)


def usual(finding: CapaFinding) -> str:
    """Say whether the rate is higher than usual, and how sure that is."""
    signal = finding.signal
    if not signal.known:
        return (
            f"What is usual isn't known yet: the baseline has {signal.usually_tested} tests. "
            "The threshold alone has raised this."
        )
    verdict = "The rate is higher than usual" if signal.rises else "The rate is not higher than usual"
    return (
        f"{verdict}: {signal.usual_rate:.1%} would be expected from the {signal.usually_tested} tests before, of which "
        f"{signal.usually_failed} failed. The probability of so many failures by chance is {signal.probability:.2g}; "
        f"a rise counts below {signal.level:.2g} ({signal.scopes} scopes are looked at daily)."
    )


def strata(finding: CapaFinding) -> dict[str, str]:
    """Say for each kind how many modules failed under which name, the first five."""
    lines = {}
    for kind, rows in finding.strata.items():
        if rows:
            more = f", {len(rows) - 5} more" if len(rows) > 5 else ""
            lines[kind] = f"By {kind}: " + ", ".join(f"{row.name} {row.modules}" for row in rows[:5]) + more + "."
    return lines


def _action(action: CapaAction, day: date, words: Mapping[str, Any]) -> dict[str, str]:
    return {
        "description": action.description.format(**words).strip(),
        "responsible": action.responsible,
        "target_date": (day + timedelta(days=action.days)).isoformat(),
    }
