"""What the configuration says of an Asana besides the token."""

from __future__ import annotations

from dataclasses import dataclass

from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason

WHERE = (
    "its number is at the end of its address in Asana, or in the answer of GET /projects/PROJECT/custom_field_settings"
)


@dataclass(frozen=True, slots=True)
class Options:
    """The section ``options`` of a system that is an Asana.

    Attributes:
        project: the number (gid) of the project that all tasks are in.
        external_ids: whether business keys are external ids, which needs a token of an OAuth app.
        key_field: the number of the text field that holds the business key, where they are no external ids.
        estimate_field: the number of the number field with the estimated minutes; empty where notes name them.
        progress_field: the number of the number field of main tasks with the progress in per cent.
        status_updates: whether the project's followers are told of progress.
        status_hours: how many hours lie between two status updates of one service request.
    """

    project: str = ""
    external_ids: bool = False
    key_field: str = ""
    estimate_field: str = ""
    progress_field: str = ""
    status_updates: bool = False
    status_hours: int = 24

    def field(self, name: str) -> str:
        """Return a number that must be there.

        Raises:
            ConfigError: the configuration doesn't say it.
        """
        number: str = getattr(self, name)
        if not number.isdecimal():
            raise ConfigError(f"Asana needs options: {{{name}: …}}; {WHERE}", code=Reason.SETTING_MISSING)
        return number
