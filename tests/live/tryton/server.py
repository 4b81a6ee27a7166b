"""Installs Tryton 8.2 once, seeds it once, and starts it from the seeded database each time.

Tryton is a Python program from PyPI; it gets a virtual environment of its own. A first start takes about a minute, a
later one some seconds. Its database here is SQLite.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import requests

from tests.live.serving import LiveServer, Missing
from tests.live.tryton.plan import ADMIN_PASSWORD, plan

HERE = Path(__file__).parent
DATABASE = "laboratory"
MODULES = ("account_invoice", "stock_lot")


class Server(LiveServer):
    """Tryton on this machine."""

    name = "Tryton"

    @property
    def url(self) -> str:
        """The address of the database, which is the integration's ``base_url``."""
        return f"{self.origin}/{DATABASE}"

    def command(self) -> Sequence[str | Path]:
        """Return what serves at the chosen port."""
        return [self._bin("trytond"), "-c", self._configured(), "-d", DATABASE]

    def answers(self) -> bool:
        """Say whether Tryton is ready; a request without a user is refused by it, not by the machine."""
        answer = requests.post(f"{self.url}/rpc/", json={"id": 0, "method": "", "params": []}, timeout=30)
        return answer.status_code == requests.codes.unauthorized

    @property
    def _database(self) -> Path:
        return self.home / "db" / f"{DATABASE}.sqlite"

    def _bin(self, name: str) -> Path:
        return self.place / "venv" / "bin" / name

    def install(self) -> None:
        """Make the virtual environment; a half-made one, or one of other versions, is made anew."""
        wanted = (HERE / "requirements.txt").read_text(encoding="utf-8")
        done = self.place / "installed"
        if done.exists() and done.read_text(encoding="utf-8") == wanted:
            return
        print(f"installing Tryton 8.2 into {self.place}", flush=True)
        done.unlink(missing_ok=True)
        shutil.rmtree(self.place / "venv", ignore_errors=True)
        try:
            self.run([sys.executable, "-m", "venv", self.place / "venv"])
            self.run([self._bin("pip"), "install", "-q", "--no-deps", "-r", HERE / "requirements.txt"])
        except RuntimeError as error:
            raise Missing(f"Tryton 8.2 can't be installed from PyPI here: {error}") from error
        done.write_text(wanted, encoding="utf-8")

    def _configured(self) -> Path:
        """Write the configuration and return its file."""
        file = self.home / "trytond.conf"
        file.write_text(
            f"[database]\nuri = sqlite://\npath = {self._database.parent}\n[web]\nlisten = 127.0.0.1:{self.port}\n",
            encoding="utf-8",
        )
        return file

    def seed(self) -> None:
        """Make the books once; a plan or a seed that has changed since makes them anew."""
        wanted = json.dumps(plan(), sort_keys=True) + (HERE / "seed.py").read_text(encoding="utf-8")
        kept, seeded = self.place / "seeded.plan", self.place / "seeded.sqlite"
        if kept.exists() and kept.read_text(encoding="utf-8") == wanted and seeded.exists():
            return
        print("seeding Tryton with the laboratory", flush=True)
        kept.unlink(missing_ok=True)
        shutil.rmtree(self._database.parent, ignore_errors=True)
        self._database.parent.mkdir()
        self._database.touch()
        password, draft, configured = self.place / "password", self.place / "plan.json", self._configured()
        password.write_text(ADMIN_PASSWORD, encoding="utf-8")
        draft.write_text(json.dumps(plan()), encoding="utf-8")
        admin = [self._bin("trytond-admin"), "-c", configured, "-d", DATABASE]
        self.run([*admin, "--all", "--email", "admin@laboratory.example", "--password"], TRYTONPASSFILE=str(password))
        self.run([*admin, "--activate-dependencies", "-u", *MODULES])
        if "seeded" not in self.run([self._bin("python"), HERE / "seed.py", configured, DATABASE, draft]):
            raise RuntimeError(f"Tryton could not be seeded; see {self.place / 'install.log'}")
        shutil.copyfile(self._database, seeded)
        kept.write_text(wanted, encoding="utf-8")

    def restore(self) -> None:
        """Begin with the books as they were seeded."""
        self._database.parent.mkdir()
        shutil.copyfile(self.place / "seeded.sqlite", self._database)
