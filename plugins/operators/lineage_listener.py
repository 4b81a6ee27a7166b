"""Keeps what an error says out of OpenLineage's events: a system's words may repeat what is in a record.

OpenLineage takes the text of the exception that failed a task. While it does, an error of ours says only where it
happened and its code. The task's log has been written before and says everything.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from airflow.listeners import hookimpl

SEE_LOG = "the task's log says why"


class LineageListener:
    """Stands around the listeners that are told of a failed task."""

    @hookimpl(wrapper=True)
    def on_task_instance_failed(self, error: Any) -> Generator[None, Any, Any]:
        """Let the other listeners see the error without its words.

        Args:
            error: what the task failed with.
        """
        with without_words(error):
            return (yield)


@contextmanager
def without_words(error: Any) -> Iterator[None]:
    """Have an exception say only its type and, if it is one of ours, where it happened and its code.

    Args:
        error: what a task failed with; anything else than an exception is left alone.
    """
    if not isinstance(error, BaseException):
        yield
        return
    words = (error.args, dict(error.__dict__), error.__cause__, error.__context__, error.__suppress_context__)
    _strip(error)
    try:
        yield
    finally:
        error.args, known, error.__cause__, error.__context__, error.__suppress_context__ = words
        error.__dict__.update(known)


def _strip(error: BaseException) -> None:
    from pv_testing.core.errors import IntegrationError

    error.args, error.__cause__, error.__context__ = (), None, None
    error.__dict__.pop("__notes__", None)
    if isinstance(error, IntegrationError):
        error.message, error.key, error.excerpt = SEE_LOG, "", ""
