"""Models of what people write: one class is the parsed object, the JSON Schema and the words of what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

if TYPE_CHECKING:
    from typing_extensions import Self

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NULL = object()


class Model(BaseModel):
    """A mapping of keys: immutable, no unknown key, no value converted from another type, no value in an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        regex_engine="python-re",
        defer_build=True,  # Airflow draws the connection forms in every process, and few of them read a file
    )

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        """Refuse a key without a value; ``None`` is what a key has that isn't written."""
        return _NULL if value is None else value

    def given(self) -> dict[str, Any]:
        """Return the values of the keys that are written."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    @classmethod
    def extend(cls, section: Model, **more: Any) -> Self:
        """Return a section of a file as an object that knows more than the file says.

        Args:
            section: an instance of a base class.
            more: the fields that no file has.
        """
        return cast("Self", cls.model_construct(**section.given(), **more))


@functools.cache
def json_schema(model: type[Model]) -> dict[str, Any]:
    """Return the JSON Schema of a model."""
    return {"$schema": DIALECT, **model.model_json_schema(schema_generator=_Generator)}


class _Generator(GenerateJsonSchema):
    """Leaves out what a reader of the schema doesn't need: generated titles, defaults, the ``None`` of absent keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        written = super().model_schema(schema)
        if not schema["cls"].__dict__["model_config"].get("title"):
            written.pop("title", None)
        return written

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> dict[str, Any]:
        return {"type": "array", "items": self.generate_inner(schema["items_schema"])}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


@dataclass(frozen=True)
class Written:
    """The annotation of a value that is written in one shape and kept in another, such as a number as quoted text.

    Attributes:
        shape: the type that is written.
        keep: makes of it what is kept; a ``ValueError`` says what is wrong with it.
    """

    shape: Any
    keep: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Return how pydantic reads it."""
        del source
        return core_schema.no_info_after_validator_function(self.keep, handler.generate_schema(self.shape))


def distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    """Return a list in which nothing stands twice.

    Raises:
        ValueError: something does.
    """
    twice = next((item for number, item in enumerate(items) if item in items[:number]), None)
    if twice is not None:
        raise ValueError(f"has {twice} twice")
    return items


Text = Annotated[str, Field(min_length=1)]
Names = Annotated[
    tuple[Text, ...], Field(strict=False, json_schema_extra={"uniqueItems": True}), AfterValidator(distinct)
]
"""A list of text, in which nothing stands twice."""
