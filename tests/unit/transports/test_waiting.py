"""Shows how long a system is left alone: as it asks where that makes sense, else for a growing time with jitter."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import format_datetime

import pytest

from pv_testing.core.response import Response
from pv_testing.transports.waiting import LONGEST, MOST, asked_wait, backoff, remaining

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc).timestamp()


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + seconds, timezone.utc), usegmt=True)


def asked(body: bytes = b"", **headers: str) -> float | None:
    return asked_wait(Response(429, {name.replace("_", "-"): value for name, value in headers.items()}, body), NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        ("0.25", 0.25),
        (" 7 ", 7.0),
        (date(90), 90.0),
        ("Sun, 01 Mar 2026 12:00:30", 30.0),
        ("1e9", LONGEST),
        ("9" * 30, LONGEST),
    ],
)
def test_a_sensible_wish_is_granted_for_a_day_at_the_most(value, seconds):
    assert asked(Retry_After=value) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "0", "nan", "inf", "9" * 400, date(-60), "Mon, 99 Foo 2026", "1,5"]
)
def test_nonsense_is_no_wish(value):
    assert asked(Retry_After=value) is None


def test_a_date_is_measured_against_the_systems_own_clock():
    assert asked(Retry_After=date(3605), Date=date(3600)) == 5.0


def test_a_date_is_measured_against_our_clock_where_the_systems_is_unknown():
    assert asked(Retry_After=date(5), Date="noon") == 5.0


@pytest.mark.parametrize(
    "body",
    [b'{"retry_after": 4}', b'{"error": {"code": "RATE_LIMIT_EXCEEDED", "retry_after": 4}}', b'{"retry_after": "4"}'],
)
def test_the_body_may_say_it(body):
    assert asked(body) == 4.0


@pytest.mark.parametrize(
    "body", [b"[4]", b"<html>4</html>", b'{"retry_after": true}', b'{"error": "4"}', b'{"retry_after": null}']
)
def test_a_body_may_say_nothing(body):
    assert asked(body) is None


def test_the_header_goes_before_the_body_and_nonsense_does_not():
    assert asked(b'{"retry_after": 4}', Retry_After="9") == 9.0
    assert asked(b'{"retry_after": 4}', Retry_After="soon") == 4.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X_RateLimit_Reset": str(NOW + 12), "X_RateLimit_Remaining": "0"}, 12.0),
        ({"X_RateLimit_Reset": str(NOW + 12)}, 12.0),
        ({"X_RateLimit_Reset": "12", "X_RateLimit_Remaining": "0"}, 12.0),
        ({"X_RateLimit_Reset": str(NOW + 12), "X_RateLimit_Remaining": "3"}, None),
        ({"X_RateLimit_Reset": str(NOW - 12), "X_RateLimit_Remaining": "0"}, None),
        ({"X_RateLimit_Reset": "later", "X_RateLimit_Remaining": "0"}, None),
    ],
)
def test_the_end_of_the_quotas_period_is_a_wish(headers, seconds):
    assert asked(**headers) == seconds


def test_backoff_doubles_up_to_its_cap_with_jitter_of_half():
    for attempt in range(1, 12):
        whole = min(30.0, 0.5 * 2 ** (attempt - 1))
        waits = [backoff(attempt, 0.5, 30.0) for _ in range(500)]
        assert whole / 2 <= min(waits)
        assert max(waits) <= whole
        assert max(waits) - min(waits) > 0.4 * whole


@pytest.mark.parametrize(("value", "seconds"), [("2026-03-01T12:00:20Z", 20.0), ("2026-03-01T13:00:05+01:00", 5.0)])
def test_the_end_of_a_period_may_be_a_time(value, seconds):
    assert asked(X_RateLimit_Reset=value) == seconds


@pytest.mark.parametrize("value", ["2026-03-01T12:00:20", "2026-03-01T11:59:00Z", "tomorrow"])
def test_a_time_without_a_zone_or_in_the_past_is_no_end(value):
    assert asked(X_RateLimit_Reset=value) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X_RateLimit_Remaining": "5", "X_RateLimit_Reset": "60"}, (5, NOW + 60)),
        ({"RateLimit_Remaining": "0", "RateLimit_Reset": "60"}, (0, NOW + 60)),
        ({"RateLimit": '"default";r=7;t=60'}, (7, NOW + 60)),
        ({"X_RateLimit_Remaining": "-1", "X_RateLimit_Reset": "60"}, None),
        ({"X_RateLimit_Remaining": "1e300", "X_RateLimit_Reset": "60"}, (MOST, NOW + 60)),
        ({"X_RateLimit_Remaining": "99999999999999999999999", "X_RateLimit_Reset": "60"}, (MOST, NOW + 60)),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "-60"}, None),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{(NOW + 60) * 1000:.0f}"}, None),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "inf"}, None),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "nan"}, None),
        ({"X_RateLimit_Remaining": "unlimited", "X_RateLimit_Reset": "60"}, None),
        ({"RateLimit": '"default";r=999999999;t=999999999'}, (999_999_999, NOW + LONGEST)),
        ({"RateLimit": '"default";r=0;t=0'}, None),
        ({"RateLimit": '"minute";r=3;t=20, "day";r=900;t=7200'}, (3, NOW + 20)),
    ],
)
def test_what_a_system_says_remains_is_read_only_where_it_makes_sense(headers, expected) -> None:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    assert remaining(Response(200, named, b""), NOW) == expected
