"""Shows that a site's own provider is found by path and by entry point, and that `check` refuses a bad one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from pv_testing.cli.main import main
from pv_testing.core.errors import ConfigError
from pv_testing.integrations import LIMSClient
from pv_testing.providers import found
from pv_testing.providers.rest import RestProvider

Check = Callable[[str], str]
HEAD = "from pv_testing.providers.rest import RestProvider\n"
GOOD = HEAD + "class SunLab(RestProvider):\n    known_options = {'release': True}\n"
_numbers = count(1)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget which packages were installed, before and after a test that installs some."""
    found._entry_points.cache_clear()
    yield
    found._entry_points.cache_clear()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Give a function that puts a module on the path and returns its name, which no other test has."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(content: str) -> str:
        name = f"site_lab_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(content, encoding="utf-8")
        return name

    return write


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Give a function that checks a configuration whose LIMS says this besides, and returns the LIMS's lines."""

    def run(setting: str) -> str:
        file = tmp_path / "integrations.yaml"
        address = "https://lims.example"
        file.write_text(f"lims: {{base_url: '{address}', api_key: a-key-of-tests, {setting}}}\n", encoding="utf-8")
        main(["check", "--offline", "--config", str(file)])
        lines = capsys.readouterr().out.splitlines()
        return "\n".join(line for line in lines if "system lims" in line or "integrations.yaml" in line)

    return run


def install(folder: Path, package: str, **entries: str) -> None:
    """Install a package that has nothing but entry points."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{found.ENTRY_POINTS}]", *lines, ""]), encoding="utf-8")


def client(**given: str) -> LIMSClient:
    return LIMSClient("https://lims.example", api_key="a-key-of-tests", **given)


async def kind_of(lims: LIMSClient) -> str:
    try:
        return type(await lims.provider()).__name__
    finally:
        await lims.aclose()


@pytest.mark.anyio
async def test_a_class_that_the_configuration_names_speaks_for_the_product(module: Callable[[str], str]) -> None:
    lims = client(provider_class=f"{module(GOOD)}:SunLab")
    assert lims.options["release"] is True
    assert await kind_of(lims) == "SunLab"
    assert await kind_of(client()) == RestProvider.__name__


@pytest.mark.anyio
async def test_an_entry_point_of_the_products_name_speaks_for_it(tmp_path: Path, module: Callable[[str], str]) -> None:
    install(tmp_path, "site_custom", cUSTOM=f"{module(GOOD)}:SunLab")
    assert await kind_of(client()) == "SunLab"


def test_check_is_content_with_a_good_one_and_knows_its_options(check: Check, module: Callable[[str], str]) -> None:
    name = module(GOOD)
    assert check(f"provider_class: '{name}:SunLab', options: {{release: false}}").count("FAILED") == 0
    assert "unknown option 'relaese'" in check(f"provider_class: '{name}:SunLab', options: {{relaese: false}}")


BAD = {
    "raises": ("raise OSError('no licence')", "raises OSError when it is imported: no licence; correct it"),
    "syntax": ("class SunLab(:", "raises SyntaxError when it is imported"),
    "exits": ("import sys; sys.exit(3)", "raises SystemExit when it is imported"),
    "needs": ("import no_such_library", "its module needs 'no_such_library', which isn't there; install it"),
    "misses": (HEAD + "class SunLabs(RestProvider): pass", "has no 'SunLab'; did you mean 'SunLabs'?"),
    "other": ("class SunLab: pass", "is no class derived from pv_testing.providers.rest.RestProvider"),
    "function": ("def SunLab(*_): pass", "is no class derived from pv_testing.providers.rest.RestProvider"),
    "init": (
        HEAD + "class SunLab(RestProvider):\n    def __init__(self, config): pass",
        "has __init__, which must take (self, config, contract, session)",
    ),
    "operation": (
        HEAD + "class SunLab(RestProvider):\n    def operation(self): pass",
        "has operation, which must take (self, name)",
    ),
    "auth": (
        HEAD + "class SunLab(RestProvider):\n    def own_auth(self, config, on_token): pass",
        "has own_auth, which must take (config, on_token)",
    ),
    "async": (
        HEAD + "class SunLab(RestProvider):\n    def identity(self): return 'us'",
        "has identity of another kind",
    ),
    "options": (HEAD + "class SunLab(RestProvider):\n    known_options = ['release']", "known_options must map names"),
    "default": (HEAD + "class SunLab(RestProvider):\n    known_options = {'a': None}", "known_options must map names"),
}


@pytest.mark.parametrize("case", BAD)
def test_check_says_what_is_wrong_with_a_bad_one_and_what_to_do(
    check: Check, module: Callable[[str], str], case: str
) -> None:
    content, expected = BAD[case]
    output = check(f"provider_class: '{module(content)}:SunLab'")
    assert output.count("FAILED") == 1
    assert "integrations.yaml:1: lims: provider_class" in output
    assert expected in output
    assert "[PROVIDER_UNUSABLE]" in output


@pytest.mark.parametrize("path", ["no_such_package.module:SunLab", "pv_testing.no_such:SunLab"])
def test_a_module_that_is_missing_is_said_with_the_remedy(check: Check, path: str) -> None:
    output = check(f"provider_class: '{path}'")
    assert "there is no module" in output
    assert "PYTHONPATH" in output


@pytest.mark.parametrize("path", ["site_lab.sunlab.SunLab", "site_lab:", ":SunLab", "../site_lab:SunLab"])
def test_what_is_no_path_of_a_class_is_refused_with_its_line(check: Check, path: str) -> None:
    assert "integrations.yaml:1: lims.provider_class: " in check(f"provider_class: '{path}'")


def test_a_bad_entry_point_is_named(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "site_bad", custom="no_such_package:SunLab")
    output = check("provider: Custom")
    assert "the entry point 'Custom' of pv_testing.providers, 'no_such_package:SunLab': there is no module" in output


def test_two_that_claim_one_product_are_refused_until_one_is_chosen(
    check: Check, tmp_path: Path, module: Callable[[str], str]
) -> None:
    one, other = module(GOOD), module(GOOD)
    install(tmp_path, "site_one", custom=f"{one}:SunLab")
    install(tmp_path, "site_other", Custom=f"{other}:SunLab")
    assert f"several classes claim the provider 'custom': {one}:SunLab, {other}:SunLab" in check("provider: Custom")
    assert "FAILED" not in check(f"provider: Custom, provider_class: '{one}:SunLab'")


def test_a_package_cannot_take_over_a_product_of_this_project_unseen(
    check: Check, tmp_path: Path, module: Callable[[str], str]
) -> None:
    name = module(GOOD)
    install(tmp_path, "site_senaite", SENAITE=f"{name}:SunLab")
    assert "several classes claim the provider 'senaite'" in check("provider: SENAITE")
    assert "FAILED" not in check(f"provider: SENAITE, provider_class: '{name}:SunLab'")


def test_a_client_refuses_it_before_anything_is_sent(module: Callable[[str], str]) -> None:
    with pytest.raises(ConfigError) as refused:
        client(provider_class=f"{module('raise OSError')}:SunLab")
    assert refused.value.code == "PROVIDER_UNUSABLE"


def test_a_connection_cannot_name_code(tmp_path: Path) -> None:
    from tests.unit.config.test_connection import HOST, Connection, shipped

    with pytest.raises(ConfigError, match="unknown extra field 'provider_class'"):
        shipped().with_connection(Connection(host=HOST, extra={"provider_class": "os:system"}))
