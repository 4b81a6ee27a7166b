"""YAML is read as what it looks like.

What readers understand differently, and what hides or multiplies content, is refused with file, line and remedy, in no
time and with no memory.
"""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv_testing.billing import BillingPolicy
from pv_testing.config import load_config
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.yaml_file import SIZE_LIMIT, parse_yaml, read_yaml
from tests.processor_time import shortest


def parse(text: str):
    return parse_yaml(text.encode(), "lab.yaml")


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


def test_plain_values_are_what_they_look_like() -> None:
    text = "a: 12\nb: 1.5\nc: true\nd: null\ne:\nf: word\ng: -3\nh: 1.0e3\ni: [x, {j: 0}]\nk: 'NO'\nl: \"012\"\n"
    assert parse(text).value == {
        "a": 12,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": None,
        "f": "word",
        "g": -3,
        "h": 1000.0,
        "i": ["x", {"j": 0}],
        "k": "NO",
        "l": "012",
    }


@pytest.mark.parametrize(
    "written",
    [
        *("NO", "no", "Yes", "on", "OFF", "y", "N", "True", "FALSE", "Null"),
        *("012", "0777", "-01", "0x1F", "0o17", "0b11", "1_000", "1_0.5"),
        *("1e3", "1E-3", "1.e5", "+.5e3", ".5", "5.", ".inf", "-.INF", ".nan"),
        *("12:30:45", "1:30", "190:20:30.15", "2025-11-13", "2025-11-13T07:00:00Z"),
    ],
)
def test_what_readers_understand_differently_is_refused_and_can_be_quoted(written: str) -> None:
    message = refusal(f"first: 1\nname: {written}\n")
    assert "lab.yaml:2: name: quote" in message
    assert written in message
    assert parse(f"name: '{written}'").value == {"name": written}


def test_a_key_that_is_no_text_for_some_readers_is_refused() -> None:
    for key in ("on", "no", "012", "true", "null"):
        assert f"quote the key '{key}'" in refusal(f"{key}: 1")


def test_a_key_that_comes_twice_is_refused_with_both_lines() -> None:
    message = refusal("maps:\n  sample: {}\n  other: {}\n  sample: {}\n")
    assert "lab.yaml:4: maps.sample: the key comes a second time; the first is in line 2" in message


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    message = refusal("a: NO\nb: 012\nb: 1e3\n")
    assert message.startswith("4 problems")
    assert [line.split(":")[1] for line in message.splitlines()[1:]] == ["1", "2", "3", "3"]


@pytest.mark.parametrize(
    "tag", ["!!python/object:os.system", "!!python/name:os.system", "!custom", "!!binary", "!!set"]
)
def test_tags_are_refused(tag: str) -> None:
    assert "isn't plain data" in refusal(f"a: {tag} x")


def test_merge_keys_are_refused() -> None:
    assert "merge keys" in refusal("a: &a {x: 1}\nb:\n  <<: *a\n")


def test_a_few_aliases_are_fine() -> None:
    assert parse("a: &a [1, 2]\nb: *a\n").value == {"a": [1, 2], "b": [1, 2]}


def test_aliases_that_explode_are_refused_at_once_and_without_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    tracemalloc.start()
    begun = time.thread_time()
    message = refusal("\n".join(lines))
    elapsed, (_, peak) = time.thread_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "aliases counted as what they stand for" in message
    assert elapsed < 1
    assert peak < 20 * 2**20


def test_an_alias_of_what_is_around_it_is_refused() -> None:
    assert "*a stands for nothing" in refusal("a: &a [*a]")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    assert "nested deeper than" in refusal(text)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(100 * SIZE_LIMIT)
    tracemalloc.start()
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml(path)
    assert tracemalloc.get_traced_memory()[1] < 4 * SIZE_LIMIT
    tracemalloc.stop()


def test_what_is_not_yaml_names_the_line() -> None:
    assert "lab.yaml:3: isn't YAML" in refusal("a: 1\nb: [\n")
    assert "second document" in refusal("a: 1\n---\nb: 2\n")
    assert "a key must be a word" in refusal("? [a]\n: 1\n")
    with pytest.raises(ConfigError, match="isn't UTF-8, see byte 3"):
        parse_yaml(b"a: \xff", "lab.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: can't be read: No such file"):
        read_yaml(tmp_path / "absent.yaml")


def test_lines_are_known_for_every_place() -> None:
    document = parse("maps:\n  sample:\n    from:\n      - a\n      - b\n")
    assert document.lines["maps", "sample", "from", 1] == 5
    assert str(document.problem(("maps", "sample", "to"), "is missing")) == "lab.yaml:2: maps.sample.to: is missing"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused = "any.yaml"
    try:
        parse_yaml(text.encode("utf-8", "surrogatepass"), "any.yaml")
    except ConfigError as error:
        refused = str(error)
    assert "any.yaml" in refused


HOSTILE = {
    "digits": lambda size: f"a: {'1' * size}x",
    "digits of a key": lambda size: f"{'1' * size}x: a",
    "underscores": lambda size: f"a: 1{'_' * size}x",
    "digits and underscores": lambda size: f"a: {'1_' * (size // 2)}x",
    "a decimal": lambda size: f"a: {'1' * (size // 2)}.{'1' * (size // 2)}x",
    "a real decimal": lambda size: f"a: 1{'0' * (size // 2)}.{'1' * (size // 2)}",
    "times": lambda size: f"a: {'1:' * (size // 2)}",
    "a date": lambda size: f"a: 2025-01-01T{' ' * size}x",
    "keys": lambda size: "a: b\n" * (size // 5),
    "anchors": lambda size: "a: &b\n" * (size // 6),
    "numbers that look like others": lambda size: "- 012\n" * (size // 6),
    "brackets": lambda size: "[" * size,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_ten_times_the_content_takes_about_ten_times_as_long(what: str) -> None:
    def read(text: bytes) -> None:
        with suppress(ConfigError):
            parse_yaml(text, "lab.yaml")

    short, long = (HOSTILE[what](size).encode() for size in (50_000, 500_000))
    seconds = shortest(lambda: read(short), rounds=5)
    # A quadratic reader takes 100 times as long.
    assert shortest(lambda: read(long), rounds=2) < 40 * max(seconds, 0.002)


def test_a_long_value_is_not_repeated_in_a_message() -> None:
    assert len(refusal(f"a: 1{'_' * 100_000}")) < 300


@pytest.mark.parametrize("load", [load_contract, load_config, BillingPolicy.read, read_yaml])
def test_no_more_of_a_huge_contract_or_configuration_is_read_than_the_limit(tmp_path: Path, load: Any) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(100 * SIZE_LIMIT)
    tracemalloc.start()
    with pytest.raises(ConfigError, match=r"huge\.yaml: larger than 1,048,576 bytes") as caught:
        load(path)
    assert tracemalloc.get_traced_memory()[1] < 4 * SIZE_LIMIT
    tracemalloc.stop()
    assert caught.value.code == "FILE_TOO_LARGE"
