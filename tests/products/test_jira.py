"""The documented traps of Jira: the search that lags, partial answers, limits, and what a site has switched off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pv_testing.contracts import load_contract
from pv_testing.core.errors import (
    AmbiguousOutcome,
    MappingError,
    PaginationLoop,
    PermissionDenied,
    RateLimited,
    Rejected,
)
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response
from pv_testing.core.sync import run
from pv_testing.ledger import Ledger
from pv_testing.providers.jira.documents import document, text_of
from pv_testing.providers.jira.jql import among, phrase
from sandbox.products import jira
from sandbox.products.json_server import JsonServer
from sandbox.products.serving import running
from sandbox.proxy import serve_proxy
from tests.products.pm import client, task

BULK = "POST /rest/api/3/issue/bulk"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.in_memory() as opened:
        yield opened


def keys(there: jira.Jira) -> list[str]:
    return sorted(row["key"] for row in there.rows("task"))


def test_an_issue_whose_answer_was_lost_is_never_made_again_while_the_search_lags(tmp_path, ledger):
    with jira.serve(tmp_path, ["search_lag", "error_after_commit"]) as there:
        there.lag = 1.5
        with client(there, tmp_path, ledger, search_lag=3) as pm:
            with pytest.raises(AmbiguousOutcome) as raised:
                pm.create_task(**task(1))
            assert raised.value.code == "SEARCH_LAG"
            with pytest.raises(AmbiguousOutcome):
                pm.create_task(**task(1))
            time.sleep(there.lag)
            made = pm.create_task(**task(1))
        assert keys(there) == ["SR-2025-0001"]
        assert made["id"] == str(there.issue("PVL-1")["number"])


def test_a_request_that_never_arrived_is_sent_again_once_the_search_would_show_it(tmp_path, ledger):
    with (
        jira.serve(tmp_path) as there,
        serve_proxy(there.origin) as proxy,
        client(there, tmp_path, ledger, address=proxy.url, search_lag=2) as pm,
    ):
        proxy.faults({"route": "POST */issue", "kind": "drop_before", "rate": 1, "seed": 1})
        with pytest.raises(AmbiguousOutcome, match="search_lag"):
            pm.create_task(**task(1))
        proxy.faults()
        began = time.monotonic()
        with pytest.raises(AmbiguousOutcome):
            pm.create_task(**task(1))
        assert time.monotonic() - began < 1.5
        assert keys(there) == []
        time.sleep(2)
        pm.create_task(**task(1))
        assert keys(there) == ["SR-2025-0001"]


def test_an_issue_that_was_sent_twice_waits_for_a_person_where_the_search_lags_longer_than_the_option_says(
    tmp_path, ledger
):
    with (
        jira.serve(tmp_path, ["search_lag"]) as there,
        serve_proxy(there.origin) as proxy,
        client(there, tmp_path, ledger, address=proxy.url, search_lag=2) as pm,
    ):
        there.lag = 7.0
        proxy.faults({"route": "POST */issue", "kind": "drop_after", "rate": 1, "seed": 1})
        began = time.monotonic()
        with pytest.raises(AmbiguousOutcome):
            pm.create_task(**task(1))
        time.sleep(2.5)
        with pytest.raises(MappingError, match="sent twice"):
            pm.create_task(**task(1))
        proxy.faults()
        time.sleep(max(0.0, began + 7.6 - time.monotonic()))  # the search shows the first issue, and not the second
        with pytest.raises(MappingError, match="sent twice"):
            pm.create_task(**task(1))
        assert keys(there) == ["SR-2025-0001"] * 2
        assert [entry.code for entry in ledger.waiting()] == ["LOOKUP_REFUSED"]


def test_a_creation_that_jira_surely_did_not_take_is_not_held_back(tmp_path, ledger):
    with jira.serve(tmp_path, ["burst_limit"]) as there, client(there, tmp_path, ledger, search_lag=120) as pm:
        there.limits._hold["jira-burst-based POST issue"] = time.time() + 30
        with pytest.raises(RateLimited):
            pm.create_task(**task(1))
        there.limits._hold.clear()
        pm.create_task(**task(1))
        assert keys(there) == ["SR-2025-0001"]


def test_a_subtask_is_found_by_its_main_task_although_the_search_lags(tmp_path, ledger):
    with jira.serve(tmp_path, ["search_lag", "error_after_commit"]) as there:
        there.lag = 60.0
        there.limits._seen["create"] = 1  # the main task is answered well, the subtask is not
        with client(there, tmp_path, ledger, search_lag=120) as pm:
            parent = pm.create_task(**task(1))["id"]
            there.limits._seen["create"] = 5
            made = pm.create_subtask(parent, "PVTP-001: Power", estimated_hours=2.5)
        assert there.limits.failed == 1
        assert keys(there) == ["SR-2025-0001", "SR-2025-0001/PVTP-001"]
        assert made["id"] == str(there.issue("PVL-2")["number"])


def test_fifty_issues_travel_in_one_request(tmp_path, ledger):
    with jira.serve(tmp_path, ["shuffled_bulk"]) as there, client(there, tmp_path, ledger) as pm:
        report = pm.create_tasks([task(number) for number in range(51)])
        assert report.counts()["created"] == 51
        assert (there.server.seen[BULK], there.server.seen["POST /rest/api/3/issue"]) == (1, 1)
        for outcome in report.outcomes:
            assert there.issue(outcome.external_id)["properties"]["pv_testing"]["key"] == outcome.key


def test_an_issue_that_is_refused_within_a_bulk_request_waits_and_the_others_are_made(tmp_path, ledger):
    with jira.serve(tmp_path, ["bulk_partial"]) as there, client(there, tmp_path, ledger, search_lag=0) as pm:
        parent = pm.create_task(**task(1))["id"]
        subtasks = [
            {"parent_task_id": parent, "title": "PVTP-001: Power"},
            {"parent_task_id": "99", "title": "PVTP-002: Heat", "external_id": "SR-2025-0001/PVTP-002"},
            {"parent_task_id": parent, "title": "PVTP-003: Light"},
        ]
        report = pm.create_subtasks(subtasks)
        assert {outcome.key[-8:]: outcome.result.value for outcome in report.outcomes} == {
            "PVTP-001": "created",
            "PVTP-002": "rejected",
            "PVTP-003": "created",  # refused with 500 first, looked up, and sent again
        }
        (refused,) = [outcome for outcome in report.outcomes if outcome.result.value == "rejected"]
        assert "parent" in refused.reason
        assert keys(there) == ["SR-2025-0001", "SR-2025-0001/PVTP-001", "SR-2025-0001/PVTP-003"]


def test_a_status_is_reached_by_the_transitions_that_jira_offers(tmp_path, ledger):
    with jira.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        parent = pm.create_task(**task(1))["id"]
        subtask = pm.create_subtask(parent, "PVTP-001: Power")["id"]
        with pytest.raises(Rejected) as refused:
            pm.update_task(parent, "COMPLETE")
        assert refused.value.code == "WORKFLOW"
        pm.update_task(subtask, "COMPLETE", notes="12 of 12\nAll passed", completion_date="2025-11-20")
        pm.update_task(subtask, "COMPLETE", notes="12 of 12\nAll passed", completion_date="2025-11-20")
        assert [row["status"] for row in there.rows("task")] == ["In Progress", "Done"]
        (comment,) = there.documents.all("comment")
        assert text_of(comment["body"]) == "12 of 12\nAll passed\n\n* Completed: 2025-11-20"


def test_without_time_tracking_estimates_and_hours_say_what_to_switch_on(tmp_path, ledger):
    with jira.serve(tmp_path, ["no_time_tracking"]) as there:
        with client(there, tmp_path, ledger) as pm:
            parent = pm.create_task(**task(1))["id"]
            for write in (
                lambda: pm.create_subtask(parent, "PVTP-001: Power", estimated_hours=2),
                lambda: pm.log_time_entry(parent, date="2025-11-20", hours=1, execution_id="5678"),
            ):
                with pytest.raises(Rejected, match="time tracking") as refused:
                    write()
                assert refused.value.code == "TIME_TRACKING_OFF"
        with client(there, tmp_path, ledger, estimates=False) as pm:
            pm.create_subtask(parent, "PVTP-002: Heat", estimated_hours=2)
        assert keys(there) == ["SR-2025-0001", "SR-2025-0001/PVTP-002"]


@pytest.mark.parametrize("traps", [(), ("hidden_mail",)])
@pytest.mark.parametrize("cloud", [True, False], ids=["cloud", "data-center"])
def test_people_are_named_as_the_edition_names_them(tmp_path, ledger, cloud, traps):
    with jira.serve(tmp_path, traps, cloud=cloud) as there, client(there, tmp_path, ledger) as pm:
        pm.create_tasks([task(1, assignee="jane.doe@lab.example"), task(2, assignee="stranger@lab.example")])
        assert {row["key"]: row["assignee"] for row in there.rows("task")} == {
            "SR-2025-0001": 42,
            "SR-2025-0002": None,
        }


def test_a_link_to_the_service_request_is_made_once(tmp_path, ledger):
    with jira.serve(tmp_path) as there:
        with client(there, tmp_path, ledger) as pm:
            number = pm.create_task(**task(1))["id"]
        address = "https://framework.example/service-requests/{sr_number}"
        for title in ("Task one", "Task one again"):
            with client(there, tmp_path, ledger, link=address) as pm:
                pm.create_task(**{**task(1), "title": title})
        (link,) = there.documents.all("link")
        assert (str(link["issue"]), link["globalId"]) == (number, "pv-testing:SR-2025-0001")
        assert link["object"]["url"].endswith("/SR-2025-0001")


def test_hours_keep_the_form_that_jira_wants(tmp_path, ledger):
    with jira.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        parent = pm.create_task(**task(1))["id"]
        subtask = pm.create_subtask(parent, "PVTP-018: Cycling")["id"]
        pm.log_time_entry(subtask, "jane.doe@lab.example", "2025-11-20", 1.26, "Executed", execution_id="5678")
        pm.log_resource_usage(subtask, resource_id="TC-001", usage_hours=840, date="2025-11-20", execution_id="5678")
        hours, usage = there.documents.all("worklog")
        assert (hours["started"], hours["timeSpentSeconds"]) == ("2025-11-20T12:00:00.000+0000", 4536)
        assert text_of(hours["comment"]) == "Executed\nBy jane.doe@lab.example\nKey: 5678"
        assert (str(hours["issue"]), str(usage["issue"])) == (subtask, parent)
        found = pm.find_resource_usage("5678/TC-001")
        assert found is not None
        assert (found["task_id"], found["resource_id"], found["usage_hours"]) == (subtask, "TC-001", 840)
        with pytest.raises(Exception, match="less than a minute"):
            pm.log_time_entry(subtask, date="2025-11-20", hours=0.01, execution_id="5679")


def test_the_search_that_cloud_has_removed_stops_everything_before_a_write(tmp_path, ledger):
    with (
        jira.serve(tmp_path) as there,
        client(there, tmp_path, ledger, contract="pm_jira_dc") as pm,
    ):
        with pytest.raises(PermissionDenied, match="CHANGE-2046") as raised:
            pm.create_task(**task(1))
        assert raised.value.code == "SEARCH_REMOVED"
        assert keys(there) == []


@pytest.mark.parametrize(
    ("reason", "code", "alone"),
    [
        ("jira-per-issue-on-write", "ISSUE_LIMIT", True),
        ("jira-burst-based", "BURST_LIMIT", False),
        ("jira-quota-tenant-based", "QUOTA", False),
    ],
)
@pytest.mark.parametrize("contract", ["pm_jira", "pm_jira_dc"])
def test_each_kind_of_limit_is_told_apart_by_its_header(contract, reason, code, alone):
    classify = load_contract(contract).classify("create_task")
    meant = classify(Response(429, {"RateLimit-Reason": reason}, b"{}"), False)
    assert (meant.verdict, meant.code, meant.alone, meant.promised) == (Verdict.RETRYABLE, code, alone, True)


def test_a_429_without_the_header_is_no_promise_of_jira():
    meant = load_contract("pm_jira").classify("create_task")(Response(429, {}, b"{}"), False)
    assert not meant.promised


def test_a_search_that_gives_its_token_again_has_an_end(tmp_path: Path, ledger):
    def same(asked: Any) -> tuple[int, Any]:
        del asked
        return 200, {"issues": [], "nextPageToken": "again", "isLast": False}

    class Same:
        def __init__(self, origin: str) -> None:
            self.origin = origin
            base = f"{origin}/rest/api/3"
            self.section = {"provider": "Jira", "base_url": base, "auth_type": "none", "options": {"project": "PVL"}}

    async def search(pm: Any) -> None:
        async with pm:
            await (await pm.provider()).search("project = PVL", "get_tasks")

    server = JsonServer(same)
    with running(server), client(Same(server.origin), tmp_path, ledger) as pm:
        with pytest.raises(PaginationLoop):
            run(search(pm))
        assert server.seen["POST /rest/api/3/search/jql"] == 2


@pytest.mark.parametrize(
    "text", ["one line", "two\nlines", "a part\n\nanother\nwith two lines", "  odd  blanks", "\n\nlate", "ends\n\n\n"]
)
def test_text_survives_the_document_format(text):
    def tidy(words: str) -> str:
        return "\n\n".join(part.strip("\n") for part in words.split("\n\n") if part.strip())

    assert text_of(document(text)) == tidy(text)


def test_a_value_in_jql_says_no_more_than_itself():
    assert among("labels", ['pv:a" or project = "X']) == 'labels in ("pv:a\\" or project = \\"X")'
    assert phrase("cf[7]", 'a"b\\') == 'cf[7] ~ "\\"a b \\""'
