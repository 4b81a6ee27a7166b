"""The sandbox framework keeps audit events of what is done in it, with the flaws of real ones."""

from __future__ import annotations

from typing import Any

from sandbox import Lab
from tests.sandbox.test_framework import code, new_request


def events(framework: Any, **query: Any) -> list[dict[str, Any]]:
    response = framework.get("/audit-events", params={"limit": 100, **query})
    assert response.status_code == 200, response.text
    return list(response.json()["data"])


def test_what_is_done_is_an_event_of_whoever_did_it(framework: Any, lab: Lab) -> None:
    identity = new_request(framework)
    lab.advance(identity, "INSPECTION_COMPLETE")
    order = {"sr_id": identity, "module_id": "H1", "operator_id": 42}
    assert framework.post("/protocols/PVTP-001/execute", json=order).status_code == 202
    framework.delete(f"/service-requests/{identity}")
    ours = [event for event in events(framework) if event["resource_id"] == str(identity)]
    assert [(event["action"], event["user"]["username"]) for event in ours] == [
        ("data_create", "integration"),
        ("data_update", "laboratory"),
        ("data_update", "system"),
        ("data_delete", "integration"),
    ]
    assert (ours[1]["old_value"], ours[1]["new_value"]) == ("PENDING_INSPECTION", "INSPECTION_COMPLETE")
    assert "protocol_execute" in {event["action"] for event in events(framework)}


def test_events_are_listed_from_a_number_on_and_have_flaws(framework: Any) -> None:
    address = f"/service-requests/{new_request(framework)}"
    for number in range(12):
        framework.put(address, json={"testing": {"special_requirements": str(number)}})
    every = events(framework)
    numbers = [event["id"] for event in every]
    assert numbers == sorted(numbers)
    assert [event["id"] for event in events(framework, from_id=numbers[3])] == numbers[3:]
    assert {event["timestamp"].endswith("Z") for event in every} == {True, False}
    assert {"session_id" in event for event in every} == {True, False}


def test_events_are_not_for_everybody(framework: Any, viewer: Any, anyone: Any, lab: Lab) -> None:
    assert viewer.get("/audit-events").status_code == 200
    assert code(anyone(lab.framework_url).get("/audit-events")) == (401, "AUTHENTICATION_FAILED")
    assert framework.get("/audit-events", params={"from_id": "yesterday"}).status_code == 422
