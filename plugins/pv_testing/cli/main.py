"""Runs a command and turns its errors into exit statuses."""

from __future__ import annotations

import os
import sys

from pv_testing.cli.arguments import parser
from pv_testing.core.errors import IntegrationError
from pv_testing.core.visible import visible

NO_PACKAGE = "{} has no package {!r}; use .venv/bin/python, which `make venv` makes, or the Python that runs Airflow"
_OURS = {"pv_testing", "hooks", "operators"}
UNREAD = 141
"""The status with which a shell's own commands end when nothing reads their output any more."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; those of the process without it.

    Returns:
        0 when all is well, 1 when something is wrong, 2 when the ledger or the arguments can't be used, 141 when the
        program that reads the output, such as ``head``, has ended before.
    """
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except IntegrationError as error:
        return _failed(str(error))
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] in _OURS:
            raise
        return _failed(visible(NO_PACKAGE.format(sys.executable, error.name)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


def _failed(message: str) -> int:
    print(f"FAILED  {message}", file=sys.stderr)
    return 2
