"""One function a command: takes the parsed options, does the work and returns the exit status.

Each imports its work when it runs, so that ``--help`` needs none of the packages that the work needs.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from pv_testing.core.actor import actor
from pv_testing.core.visible import visible


def check(options: Namespace) -> int:
    """Check the set-up and, where ``--try`` is given, the contracts on test systems."""
    from pv_testing.cli.check import check as results_of_check

    failed = False
    for result in results_of_check(options.config, offline=options.offline):
        failed = failed or not result.passed
        print(visible(str(result), lines=True), flush=True)
    if options.tried is not None and not _holds(options):
        failed = True
    return 1 if failed else 0


def _holds(options: Namespace) -> bool:
    from pv_testing.cli.trying import try_systems

    return try_systems(options.config, options.tried, options.records, options.patience)


def new_contract(options: Namespace) -> int:
    """Write the files of a new contract."""
    from pv_testing.core.places import MAPPINGS, project_root
    from pv_testing.testing.scaffold import new_contract as write_contract

    contracts = Path(options.contracts) if options.contracts else project_root() / MAPPINGS
    for file in write_contract(options.system, options.provider, contracts, Path(options.tests)):
        print(visible(f"made    {file}"))
    return 0


def show(options: Namespace) -> int:
    """Show how a record is mapped."""
    from pv_testing.cli.showing import show_record

    return show_record(options.config, options.system, options.operation, options.record, options.contract)


def verify_audit(options: Namespace) -> int:
    """Verify the audit trail."""
    from pv_testing.cli.audit import verify_audit as verify

    return verify(_ledger_url(options))


def waiting(options: Namespace) -> int:
    """List the records that wait for a person."""
    from pv_testing.cli.waiting import show_waiting

    return show_waiting(_ledger_url(options), options.system, options.output)


def pauses(options: Namespace) -> int:
    """List the systems that want to be left alone."""
    from pv_testing.cli.pauses import show_pauses

    return show_pauses(_ledger_url(options))


def resume(options: Namespace) -> int:
    """Lift a system's pause."""
    from pv_testing.cli.pauses import resume_system

    return resume_system(_ledger_url(options), options.system, owner=actor().name)


def moved(options: Namespace) -> int:
    """Note the new address of a system."""
    from pv_testing.integrations.addresses import move
    from pv_testing.ledger import Ledger

    with Ledger(_ledger_url(options)) as ledger:
        move(ledger, options.system, options.address, owner=actor().name)
    print(visible(f"{options.system} is at {options.address} now; its records stay in effect"))
    return 0


def release(options: Namespace) -> int:
    """Let records that wait be tried again."""
    from pv_testing.ledger import Ledger

    who = actor()
    with Ledger(_ledger_url(options)) as ledger:
        released = ledger.release(
            options.system, options.kind, options.keys, owner=who.name, absent=options.absent, detail=who.detail
        )
    print(f"{released} of {len(options.keys)} released; the next run tries them again")
    return 0 if released == len(options.keys) else 1


def confirm(options: Namespace) -> int:
    """Note that a waiting record is in the system."""
    from pv_testing.ledger import Ledger

    who = actor()
    record = (options.system, options.kind, options.key, options.external_id)
    with Ledger(_ledger_url(options)) as ledger:
        ledger.confirm(*record, owner=who.name, detail=who.detail)
    print(visible(f"{options.key} is in effect as {options.external_id}; nothing will be sent for it"))
    return 0


def _ledger_url(options: Namespace) -> str:
    from pv_testing.config import load_config

    return options.ledger or load_config().ledger_url
