"""Files that are made to harm are refused within a second, without a network, another file or much memory."""

from __future__ import annotations

import io
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from pv_testing.contracts.files import FileFormat
from pv_testing.core.errors import DataError, NetworkError, SecurityError
from pv_testing.transports.files import rows as rows_of
from pv_testing.transports.files.rows import read_rows
from pv_testing.transports.files.store import LocalStore, open_store, safe_name

XML = FileFormat("xml")
LOLS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10 if n else 'lol'}'>" for n in range(10))
QUADRATIC = f"<!DOCTYPE a [<!ENTITY x '{'x' * 100_000}'>]><Records><Record><A>{'&x;' * 10_000}</A></Record></Records>"
UTF_16 = "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a><Records/>"
OPENED: list[str] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"open", "socket.connect", "socket.getaddrinfo"}:
        OPENED.append(f"{event} {arguments[0]}")


@pytest.fixture(scope="module", autouse=True)
def _noted() -> None:
    """Note what is opened from now on: a hook can't be taken away, and slows down all tests that follow."""
    sys.addaudithook(_note)


def archive(**parts: bytes | str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def lying() -> bytes:
    """Return an archive whose directory says that a part is small."""
    content = bytearray(archive(xl__sheet=b"0" * 300_000_000))
    place = content.rfind(b"PK\x01\x02") + 24
    content[place : place + 4] = (100).to_bytes(4, "little")
    return bytes(content)


def linked() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        entry = zipfile.ZipInfo("xl/sheet")
        entry.external_attr = 0o120777 << 16
        book.writestr(entry, "/etc/passwd")
    return file.getvalue()


# Made where they are used: every process collects every test.
HARMFUL = {
    "xxe": (XML, lambda: b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><Records><Record><A>&x;</A></Record></Records>"),
    "remote doctype": (XML, lambda: b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/a.dtd'><Records/>"),
    "parameter entity": (XML, lambda: b"<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1:9/'> %x;]><Records/>"),
    "laughs": (XML, f"<!DOCTYPE a [{LOLS}]><Records><Record><A>&l9;</A></Record></Records>".encode),
    "quadratic": (XML, QUADRATIC.encode),
    "doctype in utf-16": (XML, lambda: UTF_16.encode("utf-16")),
    "zip bomb": (FileFormat("xlsx"), lambda: archive(xl__sheet=b"0" * 300_000_000)),
    "zip bomb that lies": (FileFormat("xlsx"), lying),
    "tight zip": (FileFormat("xlsx"), lambda: archive(xl__sheet=b"0" * 100_000_000)),
    "nested zip": (FileFormat("xlsx"), lambda: archive(xl__inner=archive(a=b"0" * 1000))),
    "many parts": (FileFormat("xlsx"), lambda: archive(**{f"p{number}": b"" for number in range(2_500)})),
    "traversal": (FileFormat("xlsx"), lambda: archive(**{"..__..__etc__passwd": b"x"})),
    "absolute": (FileFormat("xlsx"), lambda: archive(__etc__passwd=b"x")),
    "link": (FileFormat("xlsx"), linked),
    "doctype in a workbook": (FileFormat("xlsx"), lambda: archive(xl__sheet=b"<!DOCTYPE a [<!ENTITY x 'y'>]><a/>")),
    "no workbook": (FileFormat("xlsx"), lambda: b"MZ\x00\x01" * 100),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_what_is_made_to_harm_is_refused_in_under_a_second(name: str) -> None:
    form, make = HARMFUL[name]
    content = make()
    OPENED.clear()
    tracemalloc.start()
    begun = time.process_time()
    with pytest.raises(SecurityError):
        list(read_rows(content, form, "it"))
    seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 50 * 2**20
    assert [each for each in OPENED if "passwd" in each or each.startswith("socket")] == []


UNREADABLE = {
    "another encoding": (FileFormat("csv"), "a\r\nÜ".encode("cp1252"), "isn't in utf-8, as declared: byte 3 in line 2"),
    "utf-16 as utf-8": (FileFormat("csv"), "a,b".encode("utf-16"), "begins with the mark of utf-16"),
    "utf-8 as cp1252": (FileFormat("csv", encoding="cp1252"), "\ufeffa,b".encode(), "begins with the mark of utf-8"),
    "binary": (FileFormat("csv"), b"a,b\r\n\x00,1", "zero bytes"),
    "xml in another encoding": (
        XML,
        "<?xml version='1.0' encoding='cp1252'?><Records/>".encode("cp1252"),
        "is declared",
    ),
    "broken xml": (XML, b"<Records><Record></Records>", "is no XML"),
    "another root": (FileFormat("xml", root="Rows"), b"<Records/>", "'Rows' is declared"),
    "deep xml": (XML, b"<Records>" + b"<a>" * 100_000, "is no XML"),
    "deep json": (FileFormat("json"), b"[" * 1_000_000, "nested too deeply"),
    "json twice": (FileFormat("json"), b'[{"a": 1, "a": 2}]', "comes twice"),
    "json nan": (FileFormat("json"), b'[{"a": NaN}]', "is no number"),
    "json with no list": (FileFormat("json", root="rows"), b'{"other": []}', "no list of records at rows"),
    "huge number": (FileFormat("json"), b"[" + b"9" * 10_000 + b"]", "is no JSON"),
    "a heading twice": (FileFormat("csv"), b"a,a\r\n1,2", "'a' comes twice"),
    "an empty heading": (FileFormat("csv"), b"a,,b\r\n1,2,3", "a heading is empty"),
    "an open quote": (FileFormat("csv"), b'a\r\n"x', "is no CSV"),
    "nothing": (FileFormat("csv"), b"", "is empty"),
    "a huge cell": (FileFormat("csv"), b"a\r\n" + b"x" * 200_000, "is no CSV"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_as_declared_is_refused_with_its_reason(name: str) -> None:
    form, content, message = UNREADABLE[name]
    begun = time.process_time()
    with pytest.raises(DataError, match=message):
        list(read_rows(content, form, "it"))
    assert time.process_time() - begun < 1


def test_rows_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_of, "MOST_ROWS", 2)
    with pytest.raises(DataError, match="more than 2 rows"):
        list(read_rows(b"a\r\n1\r\n2\r\n3\r\n", FileFormat("csv"), "it"))


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "..", ".", "", "a\nb", "a\x00"])
def test_no_name_leads_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(SecurityError):
        safe_name(name)
    with pytest.raises(SecurityError):
        LocalStore(tmp_path).read("", name, 10)


def test_links_pipes_and_large_files_are_not_read(tmp_path: Path) -> None:
    import os

    store = LocalStore(tmp_path)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(SecurityError):
            store.read("", name, 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(SecurityError, match="more than 10 bytes"):
        store.read("", "large", 10)
    assert [entry.name for entry in store.names("")] == ["large", "secret"]


def test_a_store_that_is_not_there_is_an_error_and_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(NetworkError):
        open_store(str(tmp_path / "nothing")).names("in")
    assert open_store(f"file://{tmp_path}").names("in") == []
