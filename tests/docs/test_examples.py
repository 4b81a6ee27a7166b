"""Every Python example of the pages runs against a laboratory, one after the other, as printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sandbox
from sandbox.seed import SeedPlan
from tests.docs.pages import PAGES, PROJECT, blocks

DAGS = PROJECT / "docs" / "reference" / "airflow.md"
LINEAGE = PROJECT / "docs" / "reference" / "lineage.md"
PROVIDERS = PROJECT / "docs" / "how-to" / "providers.md"
DATABASES = PROJECT / "docs" / "how-to" / "databases.md"  # test_databases runs it
TUTORIAL = PROJECT / "docs" / "tutorial.md"  # test_tutorial runs it
OTHERS_RUN = {DAGS, LINEAGE, PROVIDERS, DATABASES, TUTORIAL}
WITH_EXAMPLES = [page for page in PAGES if page not in OTHERS_RUN and blocks(page, "python")]


@pytest.fixture
def lab() -> Iterator[sandbox.Lab]:
    with sandbox.serve(seed_plan=SeedPlan(modules=3, protocols=2)) as served:
        yield served


def test_the_pages_with_examples_are_known() -> None:
    assert [page.name for page in WITH_EXAMPLES] == [
        "README.md",
        "conformance.md",
        "files.md",
        "webhooks.md",
        "audit.md",
        "billing.md",
        "capa.md",
        "clients.md",
        "erp.md",
        "inventory.md",
        "limits.md",
        "projects.md",
        "quality.md",
    ]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_as_they_stand(lab: sandbox.Lab, tmp_path: Path, page: Path) -> None:
    names: dict[str, Any] = {
        "LIMS_URL": lab.lims_url,
        "LIMS_API_KEY": lab.credentials.lims_api_key,
        "FRAMEWORK_URL": lab.framework_url,
        "FRAMEWORK_USERNAME": lab.credentials.framework_username,
        "FRAMEWORK_PASSWORD": lab.credentials.framework_password,
        "QMS_URL": lab.url("qms"),
        "QMS_USERNAME": lab.credentials.qms_username,
        "QMS_PASSWORD": lab.credentials.qms_password,
        "PM_URL": lab.url("pm"),
        "PM_TOKEN": lab.credentials.pm_token,
        "ERP_URL": lab.url("erp"),
        "ERP_CLIENT_ID": lab.credentials.erp_client_id,
        "ERP_CLIENT_SECRET": lab.credentials.erp_client_secret,
        "LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}",
        "FOLDER": tmp_path,
    }
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)


def test_the_readme_s_snippet_leaves_one_record_however_many_processes_run_it(
    lab: sandbox.Lab, tmp_path: Path, home: Path
) -> None:
    (snippet,) = blocks(PROJECT / "README.md", "python")
    script = tmp_path / "snippet.py"
    known = f"LIMS_URL, LIMS_API_KEY = {lab.lims_url!r}, {lab.credentials.lims_api_key!r}"
    script.write_text(f"{known}\n{snippet.lstrip()}", encoding="utf-8")
    for _ in range(3):
        environment = {**os.environ, "AIRFLOW_HOME": str(home / "new"), "PYTHONPATH": str(PROJECT / "plugins")}
        subprocess.run([sys.executable, script], env=environment, check=True, timeout=60)
    assert [sample["external_id"] for sample in lab.samples("SR-2025-0123")] == ["SN001"]
