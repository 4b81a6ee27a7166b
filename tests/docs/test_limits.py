"""The configuration that docs/reference/limits.md shows is read as the page says, and its Python runs."""

from __future__ import annotations

import pytest

from pv_testing.config import load_config
from pv_testing.core import priority
from pv_testing.core.errors import ConfigError
from pv_testing.ledger import Ledger
from pv_testing.providers.sharing import governor_of, limit_of
from pv_testing.transports.governor.timetable import PERIOD
from pv_testing.transports.limits import Rate
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "reference" / "limits.md"
ENVIRONMENT = {"LIMS_API_KEY": "key", "REDIS_URL": "rediss://:s3cret@redis.company.com:6380/0"}


def lims(path, block: str):
    path.write_text(block, encoding="utf-8")
    return load_config(path, ENVIRONMENT).systems["lims"]


def test_the_limit_is_read_as_the_page_says(tmp_path) -> None:
    config = lims(tmp_path / "integrations.yaml", blocks(PAGE, "yaml")[0])
    limit = limit_of(config.shared_limit)
    assert limit.rate == Rate(25, 1.0)
    assert limit.quotas == (Rate(40_000, 3600.0), Rate(500_000, 86_400.0))
    assert f"at 25 a second: {1 / limit.interval:.1f}" in text(PAGE)
    assert f"more than {limit.tolerance * 1000:.0f} ms late" in text(PAGE)
    assert PERIOD == 2
    assert limit.allowed(limit.quotas[1], priority.Priority.BACKFILL) == 450_000
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        assert governor_of(config, ledger) is not None


def test_the_redis_is_taken_from_the_environment_and_not_shown(tmp_path) -> None:
    config = lims(tmp_path / "integrations.yaml", blocks(PAGE, "yaml")[1])
    assert config.shared_limit.redis_url == ENVIRONMENT["REDIS_URL"]
    assert "s3cret" not in repr(config)


def test_a_limit_that_says_nothing_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="set requests, hourly or daily"):
        lims(tmp_path / "integrations.yaml", "lims: {base_url: 'https://l', api_key: k, shared_limit: {reserve: 0.5}}")
