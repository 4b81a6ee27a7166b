"""What the configuration says of a Redmine besides its address: a project, and the numbers of the key fields."""

from __future__ import annotations

from dataclasses import dataclass

from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason

WHERE = "its number is in the address of its page under Administration, Custom fields"


@dataclass(frozen=True, slots=True)
class Options:
    """The section ``options`` of a system that is a Redmine.

    Attributes:
        project: the identifier of the project for records that name none.
        issue_key_field: the number of the custom field of issues that holds the business key; 0 where it isn't said.
        time_entry_key_field: the same of time entries.
    """

    project: str = ""
    issue_key_field: int = 0
    time_entry_key_field: int = 0

    def field(self, name: str) -> int:
        """Return the number of a key field.

        Raises:
            ConfigError: the configuration doesn't say it.
        """
        number: int = getattr(self, name)
        if not number:
            raise ConfigError(f"Redmine needs options: {{{name}: …}}; {WHERE}", code=Reason.SETTING_MISSING)
        return number
