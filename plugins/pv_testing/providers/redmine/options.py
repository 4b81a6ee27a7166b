"""What the configuration says of a Redmine besides its address: a project, and the numbers of the key fields."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pv_testing.contracts.problems import allowed
from pv_testing.errors import ConfigError

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

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

    @classmethod
    def of(cls, config: SystemConfig) -> Options:
        """Read the options.

        Raises:
            ConfigError: one is unknown or of the wrong type.
        """
        known = {field.name: field.default for field in fields(cls)}
        for name, value in config.options.items():
            if name not in known:
                raise _unusable(config, f"unknown option {name!r}; {allowed(name, list(known))}")
            if type(value) is not type(known[name]):
                wanted = "a whole number" if isinstance(known[name], int) else "text"
                raise _unusable(config, f"the option {name} must be {wanted}")
        return cls(**config.options)

    def field(self, name: str) -> int:
        """Return the number of a key field.

        Raises:
            ConfigError: the configuration doesn't say it.
        """
        number: int = getattr(self, name)
        if not number:
            raise ConfigError(f"Redmine needs options: {{{name}: …}}; {WHERE}", code="SETTING_MISSING")
        return number


def _unusable(config: SystemConfig, text: str) -> ConfigError:
    return ConfigError(f"{config.where or config.system}: {text}", system=config.system, code="OPTION_UNKNOWN")
