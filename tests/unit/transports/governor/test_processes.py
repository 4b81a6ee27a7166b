"""Processes that share a limit keep it together by the system's own log, also when one is killed that held slots."""

from __future__ import annotations

import pytest

from tests.bench.governor import measured


@pytest.mark.parametrize("kept_in", ["file", pytest.param("postgresql", marks=pytest.mark.postgres), "redis"])
def test_no_second_sees_more_requests_than_the_limit(request, tmp_path, kept_in: str) -> None:
    url = request.getfixturevalue("schema") if kept_in == "postgresql" else f"sqlite:///{tmp_path / 'l.sqlite'}"
    redis = request.getfixturevalue("redis_url") if kept_in == "redis" else ""
    seen = measured(url, redis, 6.0, kill=True, processes=4)
    assert seen.most <= 25
    assert seen.average >= 12
    assert seen.lost <= 60
