"""A system that ignores what it is asked for gives no other record for the one that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pv_testing.core.errors import ResponseError
from pv_testing.core.places import contract_path
from pv_testing.integrations import ERPClient, LIMSClient, PMClient, QMSClient
from tests import yaml_text

Row = dict[str, Any]
ASKED = "SR-1"
METHODS: dict[str, tuple[type[Any], str, str]] = {
    "find_sample": (LIMSClient, "lims_custom", "external_id"),
    "find_task": (PMClient, "pm_custom", "external_id"),
    "find_time_entry": (PMClient, "pm_custom", "external_id"),
    "find_resource_usage": (PMClient, "pm_custom", "external_id"),
    "find_nc_report": (QMSClient, "qms_custom", "external_id"),
    "find_capa": (QMSClient, "qms_custom", "external_id"),
    "find_invoice": (ERPClient, "erp_custom", "reference"),
}


class Deaf(BaseHTTPRequestHandler):
    """Answers every request with the same rows."""

    rows: list[Row]
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        body = dumps({"data": self.rows, "total": len(self.rows), "pages": 1}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def deaf(*rows: Row) -> Iterator[tuple[str, list[str]]]:
    """Run a system that lists the same rows whatever it is asked; give its address and the paths that it has seen."""
    kind = type("Handler", (Deaf,), {"rows": list(rows), "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", kind.seen  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def asked(method: str, url: str, *arguments: str, contract: str = "") -> Any:
    kind, name, _ = METHODS[method]
    with kind(url, api_key="k", auth_type="api_key", contract=contract or name) as client:
        return getattr(client, method)(*(arguments or (ASKED,)))


def row(method: str, key: str) -> Row:
    return {"id": "1", METHODS[method][2]: key, "project_id": "P", "status": "DRAFT"}


@pytest.mark.parametrize("method", METHODS)
def test_another_record_than_the_one_asked_for_is_no_answer(method: str) -> None:
    with deaf(row(method, "SR-10")) as (url, _), pytest.raises(ResponseError, match="another record, SR-10") as refused:
        asked(method, url)
    assert (refused.value.code, refused.value.key) == ("FILTER_IGNORED", ASKED)
    assert refused.value.operation.startswith("get_")


@pytest.mark.parametrize("method", METHODS)
def test_the_record_is_found_among_others(method: str) -> None:
    with deaf(row(method, "SR-10"), {**row(method, ASKED), "id": "2"}) as (url, _):
        found = asked(method, url)
    assert found[METHODS[method][2]] == ASKED


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_listing_says_that_there_is_none(method: str) -> None:
    with deaf() as (url, _):
        assert asked(method, url) is None


@pytest.mark.parametrize("method", METHODS)
def test_a_row_without_its_key_is_an_error(method: str) -> None:
    with deaf({"id": "1"}) as (url, _), pytest.raises(ResponseError) as refused:
        asked(method, url)
    assert refused.value.code == "KEY_MISSING"


def test_a_sample_of_another_service_request_is_no_answer() -> None:
    with deaf(row("find_sample", ASKED)) as (url, _):
        assert asked("find_sample", url, ASKED)["project_id"] == "P"
        assert asked("find_sample", url, ASKED, "P")["project_id"] == "P"
        with pytest.raises(ResponseError, match="another record, P") as refused:
            asked("find_sample", url, ASKED, "Q")
    assert refused.value.code == "FILTER_IGNORED"


def changed(folder: Path, name: str, change: Callable[[Row], object]) -> str:
    content = yaml_text.read(contract_path(name))
    change(content)
    path = folder / f"{name}.yaml"
    path.write_text(yaml_text.dump(content, sort_keys=False), encoding="utf-8")
    return str(path)


def test_a_listing_that_takes_no_project_is_compared_with_it(tmp_path: Path) -> None:
    contract = changed(
        tmp_path, "lims_custom", lambda each: each["operations"]["get_samples"]["query"].pop("project_id")
    )
    with deaf(row("find_sample", ASKED)) as (url, seen):
        assert asked("find_sample", url, ASKED, "P", contract=contract)["id"] == "1"
        assert asked("find_sample", url, ASKED, "Q", contract=contract) is None
    assert all("project_id" not in path for path in seen)


def test_rows_are_read_through_the_listing_s_map(tmp_path: Path) -> None:
    def named(content: Row) -> None:
        content["maps"]["task_row"] = {"task_key": "Ref"}
        content["operations"]["get_tasks"]["map"] = "task_row"

    contract = changed(tmp_path, "pm_custom", named)
    with deaf({"id": "1", "Ref": ASKED}) as (url, _):
        assert asked("find_task", url, contract=contract)["id"] == "1"
    with deaf({"id": "1", "Ref": "SR-10"}) as (url, _), pytest.raises(ResponseError, match="another record, SR-10"):
        asked("find_task", url, contract=contract)
