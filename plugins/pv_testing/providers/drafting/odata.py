"""Filter expressions of OData, which Business Central and SAP take."""

from __future__ import annotations

from collections.abc import Mapping


def equal(values: Mapping[str, str]) -> str:
    """Return the expression that all fields have the given text; empty for no field.

    Args:
        values: text by the field's name; a quote within is doubled, as OData writes it.
    """
    return " and ".join("{} eq '{}'".format(field, value.replace("'", "''")) for field, value in values.items())
