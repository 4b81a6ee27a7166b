"""The JSON Schemas of the configuration are those of the models that read it, and say the same of every file."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pv_testing.cli.schemas import POLICIES, schemas
from pv_testing.config.sections import IntegrationsFile
from pv_testing.core.model import Model, json_schema
from pv_testing.core.places import SCHEMAS, project_root
from pv_testing.core.validation import validate
from pv_testing.core.yaml_file import read_yaml

MODELS: dict[str, type[Model]] = {"integrations": IntegrationsFile, **{policy.NAME: policy for policy in POLICIES}}
VALUES = (None, "", "x", "2026-13-01", "{0}", -1, 0, 1.5, 10**6, True, [], [1], ["a", "a"], ["model"], {}, {"a": 1})
MORE: dict[str, dict[str, Any]] = {
    "integrations": {
        "integrations": {
            "erp": {
                "token_url": "https://erp/token",
                "scopes": ["read"],
                "mappings": {"ours": "theirs"},
                "options": {"client": "PV"},
                "provider_class": "site_lab.sunlab:SunLabProvider",
                "client_cert": "client.crt",
                "api_token": "t",
                "allow_http": False,
            }
        },
        "ledger": {"url": "sqlite:////srv/lab.sqlite"},
    }
}
OF_CONTENT = ("there is no day", "can't be filled in", "category S needs")
"""What a model says of a value that has the right shape."""


@pytest.mark.parametrize(("name", "text"), list(schemas()))
def test_the_committed_schema_is_the_model_s_own(name: str, text: str) -> None:
    written = (project_root() / SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    assert written == text, "the models have changed: run `make schemas`"


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the place of every value within a file."""
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield from places(each, (*place, step))


def changed(whole: Any, place: tuple[str | int, ...]) -> Iterator[Any]:
    """Give a file with other values at a place, with none, and with a key that nobody knows."""
    for value in (*VALUES, KeyError, NotImplemented):
        other = copy.deepcopy(whole)
        around = other
        for step in place[:-1]:
            around = around[step]
        if value is KeyError:
            del around[place[-1]]
        elif value is not NotImplemented:
            around[place[-1]] = value
        elif isinstance(around[place[-1]], dict):
            around[place[-1]]["unknown"] = 1
        yield other


@pytest.mark.parametrize("name", MODELS)
def test_a_model_refuses_exactly_what_its_schema_refuses(name: str) -> None:
    model = MODELS[name]
    whole = {**read_yaml(project_root() / "config" / f"{name}.yaml").value, **MORE.get(name, {})}
    schema = Draft202012Validator(json_schema(model))
    read, faults = validate(model, whole)
    assert read is not None, faults
    differing = []
    for place in places(whole):
        for other in changed(whole, place) if place else ():
            _, faults = validate(model, other)
            shape = [text for _, text in faults if not text.startswith(OF_CONTENT)]
            if schema.is_valid(other) == bool(shape):
                differing.append((place, faults))
    assert differing == []


@pytest.mark.parametrize("name", MODELS)
def test_what_is_refused_is_said_of_its_place_and_in_our_words(name: str) -> None:
    model = MODELS[name]
    whole = {**read_yaml(project_root() / "config" / f"{name}.yaml").value, **MORE.get(name, {})}
    for place in places(whole):
        for other in changed(whole, place) if place else ():
            for at, text in validate(model, other)[1]:
                assert at == place[: len(at)] or place == at[: len(place)], (place, at, text)
                assert not any(word in text for word in ("Input", "should", "pydantic", "a valid ")), (place, text)
