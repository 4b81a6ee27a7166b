"""``python -m pv_testing``: check the set-up, verify the audit trail, see and release what waits for a person."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pv_testing.core.actor import actor
from pv_testing.core.errors import IntegrationError
from pv_testing.core.visible import visible

NO_PACKAGE = "{} has no package {!r}; use .venv/bin/python, which `make venv` makes, or the Python that runs Airflow"
_OURS = {"pv_testing", "hooks", "operators"}
UNREAD = 141
"""The status with which a shell's own commands end when nothing reads their output any more."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 when all is well, 1 when something is wrong, 2 when the ledger or the arguments can't be used, 141 when what
        reads the output, such as ``head``, has ended before.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except IntegrationError as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] in _OURS:
            raise
        print(f"FAILED  {visible(NO_PACKAGE.format(sys.executable, error.name))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pv_testing", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = _command(commands, "check", _check, "validate configuration and contracts, ask each system who we are")
    check.add_argument("--config", metavar="PATH", help="the configuration; $PV_CONFIG or config/integrations.yaml")
    check.add_argument("--offline", action="store_true", help="don't call the systems")
    _trying(check)
    _ledger(_command(commands, "verify-audit", _verify, "find the first record of the audit trail that was altered"))
    waiting = _ledger(_command(commands, "waiting", _waiting, "list the records that wait for a person"))
    waiting.add_argument("--system", help="only this system's")
    waiting.add_argument("--output", metavar="FILE", default="", help="a table in a file, .xlsx or .csv")
    release = _ledger(_command(commands, "release", _release, "let records that wait be tried again"))
    release.add_argument("--system", required=True)
    release.add_argument("--kind", required=True, help="such as sample, result or sample_status")
    release.add_argument("--absent", action="store_true", help="you have looked: the system doesn't have them")
    _ledger(_command(commands, "pauses", _pauses, "list the systems that want to be left alone, and until when"))
    resume = _ledger(_command(commands, "resume", _resume, "ask a system again before its pause ends"))
    resume.add_argument("system", metavar="SYSTEM", help="such as lims")
    confirm = _ledger(_command(commands, "confirm", _confirm, "say that you have seen a waiting record in the system"))
    confirm.add_argument("--system", required=True)
    confirm.add_argument("--kind", required=True, help="such as sample, result or sample_status")
    confirm.add_argument("key", metavar="KEY", help="such as SR-2025-0123/SN001")
    confirm.add_argument("external_id", metavar="ID", help="its id in the system")
    release.add_argument("keys", nargs="+", metavar="KEY", help="such as SR-2025-0123/SN001")
    _contracts(commands)
    _webhooks(commands)
    return parser


def _trying(check: argparse.ArgumentParser) -> None:
    text = "on test systems: write marked records and hold each answer against the contract"
    check.add_argument("--try", nargs="*", dest="tried", metavar="SYSTEM", help=text)
    check.add_argument("--records", metavar="FILE", help="what these records must say besides, by kind, in YAML")
    check.add_argument("--patience", metavar="SECONDS", type=float, default=30.0, help="the longest wait for a record")


def _contracts(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    new = _command(commands, "new-contract", _new_contract, "begin a contract, with its test and a recorded exchange")
    new.add_argument("--system", required=True, choices=("lims", "qms", "pm", "erp"))
    new.add_argument("--provider", required=True, help="the product, such as SunLab")
    new.add_argument("--contracts", metavar="FOLDER", help="where the contract goes; include/mappings without it")
    new.add_argument("--tests", metavar="FOLDER", default="tests/contract", help="where test and exchange go")
    show = _command(commands, "show", _show, "show how a record is mapped and which requests it becomes; send nothing")
    show.add_argument("operation", metavar="OPERATION", help="such as create_sample")
    show.add_argument("--system", required=True, help="such as lims")
    show.add_argument("--contract", metavar="NAME", help="this contract in the place of the configured one")
    show.add_argument("--record", metavar="FILE", help="fields of the record in our words, in YAML")
    show.add_argument("--config", metavar="PATH", help="the configuration; $PV_CONFIG or config/integrations.yaml")


def _webhooks(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from pv_testing.cli.webhooks import add_commands, add_receiver

    add_receiver(_ledger(_command(commands, "receive", _unsaid, "take events of the systems, outside of Airflow")))
    add_commands(_command(commands, "webhooks", _unsaid, "who is told of events, and deliveries to them"), _ledger)


def _unsaid(_: argparse.Namespace) -> int:
    raise AssertionError("every action has a function of its own")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=run)
    return parser


def _ledger(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--ledger", metavar="URL", help="the ledger in SQLAlchemy's form; the configuration's without it"
    )
    return parser


def _ledger_url(options: argparse.Namespace) -> str:
    from pv_testing.config import load_config

    return options.ledger or load_config().ledger_url


def _check(options: argparse.Namespace) -> int:
    from pv_testing.cli import check as checking

    failed = False
    for outcome in checking.check(options.config, offline=options.offline):
        failed = failed or not outcome.passed
        print(visible(str(outcome), lines=True), flush=True)
    if options.tried is not None and not _try(options):
        failed = True
    return 1 if failed else 0


def _try(options: argparse.Namespace) -> bool:
    from pv_testing.testing.command import try_systems

    return try_systems(options.config, options.tried, options.records, options.patience)


def _new_contract(options: argparse.Namespace) -> int:
    from pv_testing.core.places import MAPPINGS, project_root
    from pv_testing.testing.scaffold import new_contract

    contracts = Path(options.contracts) if options.contracts else project_root() / MAPPINGS
    for file in new_contract(options.system, options.provider, contracts, Path(options.tests)):
        print(visible(f"made    {file}"))
    return 0


def _show(options: argparse.Namespace) -> int:
    from pv_testing.testing.showing import show_record

    return show_record(options.config, options.system, options.operation, options.record, options.contract)


def _verify(options: argparse.Namespace) -> int:
    from pv_testing.cli.ledger import verify_audit

    return verify_audit(_ledger_url(options))


def _waiting(options: argparse.Namespace) -> int:
    from pv_testing.cli.ledger import show_waiting

    return show_waiting(_ledger_url(options), options.system, options.output)


def _pauses(options: argparse.Namespace) -> int:
    from pv_testing.cli.ledger import show_pauses

    return show_pauses(_ledger_url(options))


def _resume(options: argparse.Namespace) -> int:
    from pv_testing.cli.ledger import resume_system

    return resume_system(_ledger_url(options), options.system, owner=actor().name)


def _release(options: argparse.Namespace) -> int:
    from pv_testing.ledger import Ledger

    who = actor()
    with Ledger(_ledger_url(options)) as ledger:
        released = ledger.release(
            options.system, options.kind, options.keys, owner=who.name, absent=options.absent, detail=who.detail
        )
    print(f"{released} of {len(options.keys)} released; the next run tries them again")
    return 0 if released == len(options.keys) else 1


def _confirm(options: argparse.Namespace) -> int:
    from pv_testing.ledger import Ledger

    who = actor()
    record = (options.system, options.kind, options.key, options.external_id)
    with Ledger(_ledger_url(options)) as ledger:
        ledger.confirm(*record, owner=who.name, detail=who.detail)
    print(visible(f"{options.key} is in effect as {options.external_id}; nothing will be sent for it"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
