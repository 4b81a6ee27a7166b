"""The layers that docs/explanation/design.md draws hold: no import points up, within functions neither."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.docs.pages import PROJECT, text


def test_no_import_points_up() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    told = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    assert "2 kept, 0 broken" in told.stdout


def test_the_page_draws_the_layers_that_are_held() -> None:
    held = text(PROJECT / "pyproject.toml").partition("layers = [")[2].partition("]")[0]
    drawn = text(PROJECT / "docs" / "explanation" / "design.md").partition("## Layers")[2].partition("\n## ")[0]
    for line in re.findall(r'"([a-z| ]+)"', held):
        assert re.search(r"\s+".join(re.findall(r"[a-z]+", line)), drawn), line


def test_no_module_is_longer_than_400_lines() -> None:
    folders = ("plugins", "dags", "sandbox", "demo", "cluster", "tests")
    modules = [path for folder in folders for path in (PROJECT / folder).rglob("*.py")]
    lengths = {str(path.relative_to(PROJECT)): len(text(path).splitlines()) for path in modules}
    assert len(modules) > 400
    assert {module: length for module, length in lengths.items() if length > 400} == {}
