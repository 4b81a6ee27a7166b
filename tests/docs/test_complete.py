"""Nothing that a reader meets is left out of the documentation, and nothing is named there that doesn't exist."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hooks.provider_info import get_provider_info
from pv_testing.cli.arguments import parser as command_line
from pv_testing.cli.schemas import POLICIES
from pv_testing.config.policy import Policy
from pv_testing.config.sections import AUTH_TYPES, IntegrationsFile
from pv_testing.core.errors import IntegrationError
from pv_testing.core.model import json_schema
from pv_testing.core.reasons import Reason
from pv_testing.core.yaml_file import read_yaml
from pv_testing.domain.status import STATES
from pv_testing.integrations import ERPClient, FrameworkClient, LIMSClient, PMClient, QMSClient
from pv_testing.integrations.client import SystemClient
from pv_testing.ledger import Ledger
from tests.docs.pages import PAGES, PROJECT, prose, text

REFERENCE = PROJECT / "docs" / "reference"
ALL = "\n".join(text(page) for page in PAGES)
PLUGINS = sorted((PROJECT / "plugins").rglob("*.py"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
PATH = re.compile(r"`((?:config|dags|demo|docs|include|plugins|sandbox|tests)/[\w./-]*)`")
# What only the workflows call.
WITHIN = {
    "asamples",
    "asample_rows",
    "asample_ids",
    "aservice_request",
    "aservice_requests",
    "awith_results",
    "aall_with_results",
    "ausers",
    "aprotocols",
}
NO_CODES = {
    *STATES,
    "AIRFLOW_HOME",
    "CLOCK_BOOTTIME",
    "DIRECT_INVOCATION",
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "PV_CONFIG",
    "PV_SYNC_INTERVAL",
    "READ_WRITE",
    "REPEATABLE_READ",
    "SUPERVISOR_COMMS",
    "WRONG_VERSION_NUMBER",
    "PV_AIRFLOW_USERNAME",
    "PV_AIRFLOW_PASSWORD",
}


def anchors(page: Path) -> set[str]:
    """Return what a link may point to within a page, as GitHub names headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named(word: str, where: str = ALL) -> bool:
    """Say whether a word stands somewhere by itself."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", where) is not None


def unnamed(words: Any, where: str = ALL) -> list[str]:
    """Return the words that stand nowhere, and make sure that there are words at all."""
    wanted = sorted(set(words))
    assert wanted
    return [word for word in wanted if not named(word, where)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(text(page)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    imaginary = {"include/mappings/lims_sunlab.yaml", "include/mappings/lims_halley.yaml"}
    assert [name for name in PATH.findall(text(page)) if name not in imaginary and not (PROJECT / name).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    left = [PROJECT / "README.md"]
    while left:
        page = left.pop()
        if page not in seen:
            seen.add(page)
            links = [(page.parent / target.partition("#")[0]).resolve() for target in LINK.findall(text(page))]
            left += [link for link in links if link.suffix == ".md"]
    assert set(PAGES) <= seen


def test_the_index_names_every_page() -> None:
    index, products = PROJECT / "docs" / "README.md", PROJECT / "docs" / "products" / "README.md"
    links = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in (index, products)
        for target in LINK.findall(text(page))
    }
    assert [page.name for page in PAGES if page not in links | {PROJECT / "README.md", index}] == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", text(PROJECT / "Makefile"), re.MULTILINE))
    mentioned = set(re.findall(r"(?:^|`)make ([a-z]+)", ALL, re.MULTILINE))
    assert mentioned >= {"demo", "test", "help"}
    assert mentioned <= targets


def test_every_key_of_the_configuration_is_described() -> None:
    keys = {*keys_of(json_schema(IntegrationsFile)), *AUTH_TYPES}
    page = text(REFERENCE / "configuration.md")
    assert [key for key in sorted(keys) if not re.search(rf"`{key}[`:]", page)] == []


POLICY_PAGES = {
    "quality": "reference/quality.md",
    "capa": "reference/capa.md",
    "projects": "reference/projects.md",
    "billing": "reference/billing.md",
    "prices": "reference/billing.md",
    "inventory": "reference/inventory.md",
    "webhooks": "how-to/webhooks.md",
}


def keys_of(schema: Any) -> set[str]:
    """Return every key that a schema names, at any depth."""
    if isinstance(schema, list):
        return {key for each in schema for key in keys_of(each)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own | {key for each in schema.values() for key in keys_of(each)}


@pytest.mark.parametrize("policy", POLICIES)
def test_every_key_of_a_policy_is_described(policy: type[Policy]) -> None:
    page = text(PROJECT / "docs" / POLICY_PAGES[policy.NAME])
    keys = keys_of(json_schema(policy))
    assert keys
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}[`:]", page)] == []


@pytest.mark.parametrize("policy", POLICIES)
def test_every_shipped_policy_is_in_order(policy: type[Policy]) -> None:
    assert policy.read(PROJECT / "config" / f"{policy.NAME}.yaml")


def test_every_field_of_the_connection_forms_is_described() -> None:
    page = text(REFERENCE / "configuration.md")
    for kind in get_provider_info()["connection-types"]:
        assert named(f"`{kind['connection-type']}`", page)
        assert kind["hook-name"] in ALL
        fields = kind["conn-fields"]
        assert [name for name in fields if f"(`{name}`)" not in page] == []
        assert [field["label"] for field in fields.values() if field["label"] not in page] == []
        assert [label for label in kind["ui-field-behaviour"]["relabeling"].values() if label not in page] == []


def test_every_environment_variable_is_described() -> None:
    read = {name for path in PLUGINS for name in re.findall(r'environ\.get\("(\w+)"', text(path))}
    assert unnamed(read, text(REFERENCE / "configuration.md")) == []


def test_every_command_and_option_is_described() -> None:
    (commands,) = (each for each in command_line()._actions if isinstance(each, argparse._SubParsersAction))
    assert [name for name in commands.choices if f"pv_testing {name}" not in ALL and f"`{name}`" not in ALL] == []
    options = {name for parser in commands.choices.values() for name in parser._option_string_actions}
    assert [name for name in options - {"-h", "--help"} if not re.search(rf"(?<!\S|-)`?{name}\b", ALL)] == []


def public_classes(folder: str) -> Iterator[str]:
    """Give the classes that a folder of the plugins defines."""
    for path in sorted((PROJECT / "plugins" / folder).glob("*.py")):
        for node in ast.parse(text(path)).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name


@pytest.mark.parametrize("folder", ["hooks", "operators", "sensors", "triggers"])
def test_every_class_on_the_side_of_airflow_is_described(folder: str) -> None:
    assert unnamed(public_classes(folder), text(REFERENCE / "airflow.md")) == []


def test_every_dag_and_its_parameters_are_described() -> None:
    from operators.wiring import PARAMS

    assert unnamed((path.stem for path in (PROJECT / "dags").glob("*.py")), text(REFERENCE / "airflow.md")) == []
    assert unnamed(PARAMS, text(REFERENCE / "airflow.md")) == []


@pytest.mark.parametrize("kind", [SystemClient, LIMSClient, QMSClient, PMClient, ERPClient, FrameworkClient, Ledger])
def test_every_method_of_a_client_is_described(kind: type) -> None:
    methods = [name for name in vars(kind) if not name.startswith("_") and callable(getattr(kind, name))]
    inner = WITHIN | {"anc_ids", "atask_ids", "acustomer", "ainvoice", "aopen_invoices"}
    assert unnamed(set(methods) - inner, text(REFERENCE / "clients.md")) == []


def codes(path: Path) -> Iterator[str]:
    """Give the reason codes that a module spells: arguments called ``code``, and words that look like one."""
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
            yield node.value


def test_every_reason_code_is_explained() -> None:
    reason_codes = {code for path in PLUGINS for code in codes(path) if code} - NO_CODES | set(Reason.__members__)
    for path in (PROJECT / "include" / "mappings").glob("*.yaml"):
        rules = read_yaml(path).value.get("errors", {}).get("rules", [])
        reason_codes |= {rule["code"] for rule in rules if "code" in rule}
    assert {"SERIAL_MISSING", "UNIT_MISMATCH", "NO_LOOKUP", "DUPLICATE_IN_SYSTEM", "NETWORK"} <= reason_codes
    assert [code for code in sorted(reason_codes) if f"`{code}`" not in ALL] == []


def test_every_error_is_in_the_tree_and_on_the_page() -> None:
    def below(kind: type[IntegrationError]) -> Iterator[type[IntegrationError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    tree = importlib.import_module("pv_testing.core.errors").__doc__ or ""
    for where in (tree, text(REFERENCE / "clients.md")):
        assert unnamed((kind.__name__ for kind in below(IntegrationError)), where) == []


COMMAND = re.compile(r"python -m pv_testing ((?:--?\w|\w)[^`#\n]*)")
PRINTED = [
    pytest.param(page, command.strip(), id=f"{page.stem}: {command.strip()}")
    for page in PAGES
    for command in dict.fromkeys(COMMAND.findall(re.sub(r"\s*\n\s*", " ", prose(page)) + "\n" + text(page)))
    if " " in command.strip()
]


@pytest.mark.parametrize(("page", "command"), PRINTED)
def test_a_printed_command_is_one_that_the_command_line_takes(page, command):
    arguments = shlex.split(command.split("|")[0])
    try:
        command_line().parse_args(arguments)
    except SystemExit:
        pytest.fail(f"{page.name} prints a command that the command line refuses: {command}")
