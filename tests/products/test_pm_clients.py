"""Client libraries that others maintain judge the stand-ins: what they ask is answered as they expect it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from sandbox.products import asana as asana_stand_in
from sandbox.products import jira as jira_stand_in


@pytest.mark.parametrize("cloud", [True, False], ids=["cloud", "data-center"])
def test_the_jira_package_works_with_the_stand_in(tmp_path, cloud):
    library: Any = pytest.importorskip("jira", reason="the package jira isn't installed")
    with jira_stand_in.serve(tmp_path, ["short_pages"], cloud=cloud) as there:
        login = (
            {"basic_auth": (jira_stand_in.MAIL, jira_stand_in.TOKEN)} if cloud else {"token_auth": jira_stand_in.TOKEN}
        )
        options = {"rest_api_version": "3" if cloud else "2"}
        client = library.JIRA(server=there.origin, options=options, max_retries=0, **login)
        assert client.myself()["displayName"] == "Integration Service"
        made = [
            client.create_issue(
                project={"key": "PVL"}, issuetype={"name": "Task"}, summary=f"Task {number}", labels=["pv"]
            )
            for number in range(5)
        ]
        search = client.enhanced_search_issues if cloud else client.search_issues
        assert [issue.key for issue in search('labels = "pv"', maxResults=0)] == [issue.key for issue in made]
        issue = made[0]
        assert [each["to"]["name"] for each in client.transitions(issue)] == ["In Progress"]
        client.transition_issue(issue, "Start")
        assert client.issue(issue.key).fields.status.name == "In Progress"
        comment: Any = "An hour"
        if cloud:
            text = {"type": "text", "text": comment}
            comment = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [text]}]}
        started = datetime(2025, 11, 20, 9, tzinfo=timezone.utc)
        client.add_worklog(issue, timeSpentSeconds=3600, started=started, comment=comment)
        assert [each.timeSpentSeconds for each in client.worklogs(issue)] == [3600]
        with pytest.raises(library.JIRAError, match="summary"):
            client.create_issue(project={"key": "PVL"}, issuetype={"name": "Task"}, summary="")
        assert there.server.broken == []


def test_the_asana_package_works_with_the_stand_in(tmp_path):
    library: Any = pytest.importorskip("asana", reason="the package asana isn't installed")
    rest: Any = pytest.importorskip("asana.rest")
    with asana_stand_in.serve(tmp_path, ["short_pages"]) as there:
        configuration = library.Configuration()
        configuration.host = f"{there.origin}/api/1.0"
        configuration.access_token = asana_stand_in.OAUTH
        client = library.ApiClient(configuration)
        tasks = library.TasksApi(client)
        assert library.UsersApi(client).get_user("me", {})["name"] == "Integration Service"
        made = [
            tasks.create_task({"data": {"name": f"Task {number}", "projects": [asana_stand_in.PROJECT]}}, {})
            for number in range(12)
        ]
        listed = tasks.get_tasks_for_project(asana_stand_in.PROJECT, {"opt_fields": "name,completed"})
        assert [each["gid"] for each in listed] == [each["gid"] for each in made]
        parent = made[0]["gid"]
        subtask = tasks.create_subtask_for_task({"data": {"name": "Sub", "external": {"gid": "SR/P"}}}, parent, {})
        assert tasks.get_task("external:SR/P", {"opt_fields": "name"})["gid"] == subtask["gid"]
        entries = library.TimeTrackingEntriesApi(client)
        entry = {"data": {"duration_minutes": 20, "entered_on": "2025-11-20"}}
        entries.create_time_tracking_entry(entry, subtask["gid"], {})
        (there_now,) = entries.get_time_tracking_entries_for_task(subtask["gid"], {"opt_fields": "duration_minutes"})
        assert there_now["duration_minutes"] == 20
        with pytest.raises(rest.ApiException):
            entries.create_time_tracking_entry({"data": {"duration_minutes": 0}}, subtask["gid"], {})
        assert there.server.broken == []
