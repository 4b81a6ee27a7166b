"""``check --try``: tries the contracts of configured systems and prints each finding."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pv_testing.config import SystemConfig, load_config
from pv_testing.core.errors import ConfigError, IntegrationError
from pv_testing.core.problems import allowed
from pv_testing.core.visible import visible
from pv_testing.core.yaml_file import read_yaml
from pv_testing.testing.example import CHANGED
from pv_testing.testing.examples import EXAMPLES
from pv_testing.testing.finding import TrialFinding, TrialVerdict
from pv_testing.testing.suite import try_system


def try_systems(path: str | None, names: Sequence[str], records: str | None, patience: float) -> bool:
    """Try systems of the configuration, print each finding and return whether everything holds.

    Args:
        path: the configuration file.
        names: which systems; all that are enabled where none is named.
        records: a YAML file with fields that the records must have besides the examples', by kind.
        patience: seconds after which a record that a look-up doesn't find is given up.

    Raises:
        ConfigError: a name or a file can't be used.
    """
    systems = load_config(path).systems
    unknown = [name for name in names if name not in systems]
    if unknown:
        raise ConfigError(f"there is no system {unknown[0]!r}; {allowed(unknown[0], list(systems))}")
    given = read_given(records) if records else {}
    chosen = [systems[name] for name in names] or [system for system in systems.values() if system.enabled]
    if not _agreed([system.system for system in chosen]):
        return False
    holds = [_tried(system, given, patience) for system in chosen]
    return all(holds)


def _agreed(names: Sequence[str]) -> bool:
    """Ask the person at the terminal, if there is one, whether these are test systems."""
    if not sys.stdin.isatty():
        return True
    agreed = input(f"marked records are written into {', '.join(names)}; are these test systems? [yes/no] ") == "yes"
    if not agreed:
        print("nothing was written", flush=True)
    return agreed


def _tried(system: SystemConfig, given: Mapping[str, Mapping[str, Any]], patience: float) -> bool:
    try:
        ready = system.ready()
        where = ready.base_url or ready.options.get("file_store")
        print(visible(f"trying  {ready.system}: writes marked records into {where}"), flush=True)
        findings = try_system(ready, given=given, patience=patience, tell=_print)
    except IntegrationError as error:
        print(visible(f"FAILED  {system.system}: {error}", lines=True), flush=True)
        return False
    failed = sum(finding.verdict is TrialVerdict.FAILS for finding in findings)
    held = sum(finding.verdict is TrialVerdict.HOLDS for finding in findings)
    skipped = sum(finding.verdict is TrialVerdict.SKIPPED for finding in findings)
    print(f"{ready.system}: {held} hold, {failed} don't, {skipped} could not be tried", flush=True)
    return failed == 0


def read_given(path: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the fields that the records of a trial must have besides the examples', by kind.

    Raises:
        ConfigError: the file can't be read, or names an unknown kind.
    """
    given = read_yaml(Path(path)).value
    if not isinstance(given, Mapping) or not all(isinstance(fields, Mapping) for fields in given.values()):
        raise ConfigError(f"{path}: must say fields by kind, such as `time_entry: {{user: …}}`")
    unknown = [kind for kind in given if kind not in EXAMPLES]
    if unknown:
        raise ConfigError(f"{path}: there is no kind {unknown[0]!r}; {allowed(unknown[0], list(EXAMPLES))}")
    for kind, fields in given.items():
        if not isinstance(fields.get(CHANGED, {}), Mapping):
            raise ConfigError(f"{path}: {kind}: {CHANGED}: must say fields, such as `{CHANGED}: {{notes: …}}`")
    return given


def _print(finding: TrialFinding) -> None:
    print(visible(str(finding), lines=True), flush=True)
