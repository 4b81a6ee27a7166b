"""Installs SENAITE 2.6.0 once, seeds it once, and starts it from the seeded database each time.

SENAITE 2.6 runs on Python 2.7 and nothing later. A first start takes minutes and 550 MB, a later one half a minute.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import requests

from tests.live.senaite.plan import ADMIN, ADMIN_PASSWORD, plan
from tests.live.serving import LiveServer, Missing

HERE = Path(__file__).parent
INSTALL_WITHIN, SEED_WITHIN = 1800.0, 1200.0
DATA = ("Data.fs", "Data.fs.index")


def python27() -> Path:
    """Return a Python 2.7.

    Raises:
        Missing: there is none.
    """
    for candidate in _pythons():
        try:
            answer = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if (answer.stdout + answer.stderr).startswith("Python 2.7"):
            return candidate
    raise Missing("SENAITE 2.6 needs a Python 2.7: install one (`pyenv install 2.7.18`) or name it in LIVE_PYTHON27")


def _pythons() -> Iterable[Path]:
    named = os.environ.get("LIVE_PYTHON27")
    if named:
        yield Path(named)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob("versions/2.7*/bin/python"), reverse=True)
    on_path = shutil.which("python2.7")
    if on_path:
        yield Path(on_path)


class Server(LiveServer):
    """SENAITE on this machine."""

    name = "SENAITE"
    ready_within = 240.0

    def __init__(self, instance: str = "main", place: Path | None = None) -> None:
        super().__init__(instance, place)
        self.template = self.place / "instance"
        self.zope = self.home / "zope"
        self.seeded = self.place / "seeded" / "Data.fs"

    @property
    def url(self) -> str:
        """The address of the site's JSON API."""
        return f"{self.origin}/senaite/@@API/senaite/v1"

    def command(self) -> Sequence[str | Path]:
        """Return what serves at the chosen port."""
        self._listen()
        return [self._bin("runwsgi"), self.zope / "etc" / "zope.ini"]

    def answers(self) -> bool:
        """Say whether SENAITE is ready."""
        return requests.get(f"{self.url}/version", timeout=30).ok

    def _bin(self, name: str) -> Path:
        return self.place / "venv" / "bin" / name

    def install(self) -> None:
        """Make the virtual environment and the Zope instance; a half-made one is made anew."""
        done = self.place / "installed"
        if done.exists():
            return
        python = python27()
        print(f"installing SENAITE 2.6.0 into {self.place}; this takes some minutes", flush=True)
        for leftover in ("bootstrap", "venv", "instance"):
            shutil.rmtree(self.place / leftover, ignore_errors=True)
        bootstrap = self.place / "bootstrap"
        self.run([python, "-m", "pip", "install", "-q", "--target", bootstrap, "virtualenv==20.15.1"])
        self.run([python, "-m", "virtualenv", "-q", self.place / "venv"], PYTHONPATH=str(bootstrap))
        pip = self._bin("pip")
        self.run([pip, "install", "-q", "setuptools==44.1.1", "wheel==0.37.1"])
        self.run([pip, "install", "-q", "--no-deps", "-r", HERE / "requirements.txt"], INSTALL_WITHIN)
        self.run([self._bin("mkwsgiinstance"), "-d", self.template, "-u", f"{ADMIN}:{ADMIN_PASSWORD}"])
        shutil.copyfile(HERE / "site.zcml", self.template / "etc" / "site.zcml")
        done.touch()

    def seed(self) -> None:
        """Make the site once; a plan that has changed since makes it anew."""
        wanted = json.dumps(plan(), sort_keys=True)
        kept = self.seeded.parent / "plan.json"
        if kept.exists() and kept.read_text(encoding="utf-8") == wanted and self.seeded.exists():
            return
        print("seeding SENAITE with the laboratory", flush=True)
        shutil.rmtree(self.zope, ignore_errors=True)
        shutil.rmtree(self.seeded.parent, ignore_errors=True)
        self.seeded.parent.mkdir()
        self._configure()
        draft = self.place / "plan.json"
        draft.write_text(wanted, encoding="utf-8")
        output = self.run(
            [self._bin("zconsole"), "run", self.zope / "etc" / "zope.conf", HERE / "seed.py"],
            SEED_WITHIN,
            PV_LIVE_PLAN=str(draft),
        )
        if "seeded" not in output:
            raise RuntimeError(f"the site could not be seeded; see {self.place / 'install.log'}")
        for name in DATA:
            shutil.copyfile(self.zope / "var" / name, self.seeded.parent / name)
        draft.replace(kept)

    def restore(self) -> None:
        """Begin with the site as it was seeded."""
        self._configure()
        for name in DATA:
            shutil.copyfile(self.seeded.parent / name, self.zope / "var" / name)

    def _configure(self) -> None:
        """Copy the empty Zope, which says in its own files where it is."""
        shutil.copytree(self.template, self.zope, ignore=shutil.ignore_patterns("Data.fs*", "*.pid", "*.log"))
        for folder in ("log", "cache"):
            (self.zope / "var" / folder).mkdir(parents=True, exist_ok=True)
        for name in ("zope.conf", "zope.ini"):
            file = self.zope / "etc" / name
            text = file.read_text(encoding="utf-8").replace(str(self.template), str(self.zope))
            file.write_text(text, encoding="utf-8")

    def _listen(self) -> None:
        """Let the server listen on the loopback at the chosen port."""
        file = self.zope / "etc" / "zope.ini"
        text = re.sub(r"^(listen|host|port) = .*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        server = "use = egg:waitress#main\n"
        text = text.replace(server, f"{server}host = 127.0.0.1\nport = {self.port}\n")
        file.write_text(text, encoding="utf-8")


def announcement(server: Server) -> Mapping[str, str]:
    """Return where the server is, for a person who started it by hand."""
    return {"base_url": server.url, "pages": f"{server.origin}/senaite"}
