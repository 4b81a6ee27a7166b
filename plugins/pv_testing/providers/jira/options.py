"""What the configuration says of a Jira besides its address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """The section ``options`` of a system that is a Jira.

    Attributes:
        project: the key of the project that all issues are made in; where it is empty, each record names its own.
        key_field: the number of the custom text field that holds the business key; a label holds it where this is 0.
        start_field: the number of the custom field with the start date; 0 where no start date is sent.
        progress_field: the number of the custom number field with the progress; 0 where only a property holds it.
        estimates: whether estimates are sent; false where the site doesn't track time.
        link: the address of a service request, with ``{sr_number}``, that main tasks are linked to; empty for no link.
        search_lag: seconds after which a search surely shows a new issue; -1 stands for the edition's default.
    """

    project: str = ""
    key_field: int = 0
    start_field: int = 0
    progress_field: int = 0
    estimates: bool = True
    link: str = ""
    search_lag: int = -1
