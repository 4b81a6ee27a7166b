"""The commands with their options; each runs a function of :mod:`pv_testing.cli.commands`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from pv_testing.cli import commands, webhooks

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

DESCRIPTION = "Check the set-up, verify the audit trail, list and release the records that wait for a person."
_CONFIG = "the configuration; $PV_CONFIG or config/integrations.yaml"
_KIND = "such as sample, result or sample_status"
_KEY = "such as SR-2025-0123/SN001"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; ``run`` of the parsed options is the command's function."""
    whole = argparse.ArgumentParser(prog="python -m pv_testing", description=DESCRIPTION)
    subparsers = whole.add_subparsers(required=True, metavar="COMMAND")
    _check(subparsers)
    _ledger(subparsers)
    _pauses(subparsers)
    _contracts(subparsers)
    _webhooks(subparsers)
    return whole


def _check(subparsers: Subparsers) -> None:
    check = _command(
        subparsers, "check", commands.check, "validate configuration and contracts, ask each system who we are"
    )
    check.add_argument("--config", metavar="PATH", help=_CONFIG)
    check.add_argument("--offline", action="store_true", help="don't call the systems")
    text = "on test systems: write marked records and hold each answer against the contract"
    check.add_argument("--try", nargs="*", dest="tried", metavar="SYSTEM", help=text)
    check.add_argument("--records", metavar="FILE", help="further fields of these records, by kind, in YAML")
    check.add_argument("--patience", metavar="SECONDS", type=float, default=30.0, help="the longest wait for a record")


def _ledger(subparsers: Subparsers) -> None:
    text = "find the first record of the audit trail that was altered"
    _with_ledger(_command(subparsers, "verify-audit", commands.verify_audit, text))
    waiting = _with_ledger(_command(subparsers, "waiting", commands.waiting, "list the records that wait for a person"))
    waiting.add_argument("--system", help="only this system's")
    waiting.add_argument("--output", metavar="FILE", default="", help="a table in a file, .xlsx or .csv")
    release = _with_ledger(_command(subparsers, "release", commands.release, "let records that wait be tried again"))
    release.add_argument("--system", required=True)
    release.add_argument("--kind", required=True, help=_KIND)
    release.add_argument("--absent", action="store_true", help="you have looked: the system doesn't have them")
    release.add_argument("keys", nargs="+", metavar="KEY", help=_KEY)
    text = "say that you have seen a waiting record in the system"
    confirm = _with_ledger(_command(subparsers, "confirm", commands.confirm, text))
    confirm.add_argument("--system", required=True)
    confirm.add_argument("--kind", required=True, help=_KIND)
    confirm.add_argument("key", metavar="KEY", help=_KEY)
    confirm.add_argument("external_id", metavar="ID", help="its id in the system")


def _pauses(subparsers: Subparsers) -> None:
    text = "list the systems that want to be left alone, and until when"
    _with_ledger(_command(subparsers, "pauses", commands.pauses, text))
    resume = _with_ledger(_command(subparsers, "resume", commands.resume, "ask a system again before its pause ends"))
    resume.add_argument("system", metavar="SYSTEM", help="such as lims")
    text = "say that a system has moved, and keep its records in force"
    moved = _with_ledger(_command(subparsers, "moved", commands.moved, text))
    moved.add_argument("system", metavar="SYSTEM", help="such as lims")
    moved.add_argument("address", metavar="URL", help="its new base_url")


def _contracts(subparsers: Subparsers) -> None:
    text = "begin a contract, with its test and a recorded exchange"
    new = _command(subparsers, "new-contract", commands.new_contract, text)
    new.add_argument("--system", required=True, choices=("lims", "qms", "pm", "erp"))
    new.add_argument("--provider", required=True, help="the product, such as SunLab")
    new.add_argument("--contracts", metavar="FOLDER", help="where the contract goes; include/mappings without it")
    new.add_argument("--tests", metavar="FOLDER", default="tests/contract", help="where test and exchange go")
    text = "show how a record is mapped and which requests it becomes; send nothing"
    show = _command(subparsers, "show", commands.show, text)
    show.add_argument("operation", metavar="OPERATION", help="such as create_sample")
    show.add_argument("--system", required=True, help="such as lims")
    show.add_argument("--contract", metavar="NAME", help="this contract in the place of the configured one")
    show.add_argument("--record", metavar="FILE", help="fields of the record in our words, in YAML")
    show.add_argument("--config", metavar="PATH", help=_CONFIG)


def _webhooks(subparsers: Subparsers) -> None:
    text = "take events of the systems, outside of Airflow"
    webhooks.add_receiver(_with_ledger(subparsers.add_parser("receive", help=text, description=text)))
    text = "list and change the endpoints that are told of events, and deliver to them"
    webhooks.add_commands(subparsers.add_parser("webhooks", help=text, description=text), _with_ledger)


def _command(
    subparsers: Subparsers, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    added = subparsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    added.set_defaults(run=run)
    return added


def _with_ledger(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    text = "the ledger in SQLAlchemy's form; the configuration's without it"
    command.add_argument("--ledger", metavar="URL", help=text)
    return command
