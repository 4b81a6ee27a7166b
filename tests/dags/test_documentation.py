"""The DAGs that docs/reference/airflow.md shows can be imported as they are printed, and what the page names exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from tests.airflow.home import PROJECT
from tests.dags.test_integrity import probe

PAGE = (PROJECT / "docs" / "reference" / "airflow.md").read_text()


def test_the_printed_dags_are_imported_as_they_stand(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    for number, printed in enumerate(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)):
        (folder / f"printed_{number}.py").write_text(printed)
    found = probe("describe", str(folder), home=tmp_path / "home")
    assert found["errors"] == {}
    tasks = found["dags"]["intake_of_one"]["tasks"]
    assert tasks["choose"]["downstream"] == ["create"]
    assert tasks["create"]["downstream"] == ["wait"]
    assert found["dags"]["samples_from_a_list"]["tasks"]["read_list"]["downstream"] == ["carry"]


def test_every_class_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:operators|hooks|sensors)\.\w+)\.([A-Z]\w+)`", PAGE)
    assert len(named) >= 8
    for module, name in named:
        assert isinstance(getattr(importlib.import_module(module), name), type)
