"""Installs Redmine 5 once, seeds it once, and starts it from the seeded database each time.

Debian has Redmine and the Ruby libraries that it stands on. The libraries are installed by apt; Redmine itself is
unpacked into the clone, where its database, files and logs stay too. Debian's own instance is neither made nor touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import requests

from tests.live.redmine.plan import plan
from tests.live.senaite.server import Missing, free_port, home

HERE = Path(__file__).parent
READY_WITHIN = 120.0
APT_WITHIN, RAILS_WITHIN, STOP_WITHIN = 1200.0, 300.0, 20.0
THREADS = 4
# Ruby libraries that Redmine can do without.
SPARED = frozenset({"ruby-rmagick"})


class Server:
    """Redmine on this machine.

    Args:
        place: the directory of the installation and its data.
    """

    def __init__(self, place: Path | None = None) -> None:
        self.place = place or home() / "redmine"
        self.app = self.place / "redmine"
        self.data = self.app / "instances" / "default"
        self.database = self.data / "redmine.sqlite3"
        self.seeded = self.place / "seeded.sqlite3"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._lock: TextIO | None = None

    @property
    def url(self) -> str:
        """The address of the pages and of the API."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> None:
        """Install and seed what isn't there yet, and serve the seeded Redmine on a free port unless one is named.

        Raises:
            Missing: this machine can't run Redmine.
            RuntimeError: something failed; the message names the log.
        """
        self._take()
        self._install()
        self._seed()
        self._restore()
        self.port = port or free_port()
        with (self.place / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "bundle",
                    "exec",
                    "puma",
                    "-q",
                    "-b",
                    f"tcp://127.0.0.1:{self.port}",
                    "-t",
                    f"1:{THREADS}",
                    "config.ru",
                ],
                cwd=self.app,
                env=self._environment(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        (self.place / "server.pid").write_text(str(self.process.pid), encoding="utf-8")
        self._await()

    def stop(self) -> None:
        """Stop the server that was started here, and only that."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def rails(self, ruby: str) -> str:
        """Run a line of Ruby within Redmine, for what its API can't set, and return what it prints."""
        return self._run(["bundle", "exec", "rails", "runner", ruby], RAILS_WITHIN, cwd=self.app, **self._environment())

    def _take(self) -> None:
        """Keep others off the installation, and end the server that a killed run has left on it."""
        self.place.mkdir(parents=True, exist_ok=True)
        lock = (self.place / "lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise RuntimeError(f"another run uses {self.place}; wait for it, or set LIVE_HOME") from error
        self._lock = lock
        left = self.place / "server.pid"
        if left.exists():
            pid = int(left.read_text(encoding="utf-8"))
            if _working_directory(pid) == self.app:
                os.killpg(pid, signal.SIGKILL)
            left.unlink()

    def _install(self) -> None:
        """Unpack Redmine and let apt install what it stands on; a half-made installation is made anew."""
        done = self.place / "installed"
        if done.exists():
            return
        for tool in ("apt-get", "dpkg-deb", "dpkg-query"):
            if shutil.which(tool) is None:
                raise Missing(f"Redmine is installed from Debian's packages, and this machine has no {tool}")
        print(f"installing Redmine 5 into {self.place}; this takes some minutes", flush=True)
        for leftover in (self.place / "package", self.app):
            shutil.rmtree(leftover, ignore_errors=True)
        package = self._fetched()
        self._satisfy(_libraries(self._run(["dpkg-deb", "-f", package, "Depends"])))
        self._run(["dpkg-deb", "-x", package, self.place / "package"])
        (self.place / "package" / "usr" / "share" / "redmine").rename(self.app)
        self._configure()
        done.touch()

    def _fetched(self) -> Path:
        """Return Debian's package of Redmine, downloaded."""
        downloads = self.place / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir()
        for again in (False, True):
            if again and os.geteuid() == 0:
                self._run(["apt-get", "update", "-q"], APT_WITHIN)
            try:
                self._run(["apt-get", "download", "-q", "redmine"], APT_WITHIN, cwd=downloads)
                break
            except RuntimeError as error:
                if again:
                    raise Missing("apt offers no redmine here; Debian 12 and Ubuntu 24.04 do") from error
        (package,) = downloads.glob("redmine_*.deb")
        version = self._run(["dpkg-deb", "-f", package, "Version"]).strip()
        if not version.startswith("5."):
            raise Missing(f"apt offers Redmine {version} here; these tests are of Redmine 5")
        return package

    def _satisfy(self, libraries: Sequence[str]) -> None:
        """Let apt install the libraries that are missing."""
        missing = [name for name in libraries if not _installed(name)]
        if not missing:
            return
        if os.geteuid() != 0:
            wanted = " ".join(missing)
            raise Missing(f"Redmine needs packages that only root can install: apt-get install {wanted}")
        self._run(["apt-get", "update", "-q"], APT_WITHIN)
        self._run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing],
            APT_WITHIN,
            DEBIAN_FRONTEND="noninteractive",
        )

    def _configure(self) -> None:
        """Give the unpacked Redmine a database, keys and folders of its own in the place of Debian's."""
        for link in ("instances", "Gemfile.lock", "config/database.yml"):
            (self.app / link).unlink(missing_ok=True)
        for folder in ("config", "files", "log", "tmp/cache", "tmp/pids", "plugins"):
            (self.data / folder).mkdir(parents=True)
        said = f"production:\n  adapter: sqlite3\n  database: {self.database}\n  timeout: 15000\n"
        for file in (self.data / "config" / "database.yml", self.app / "config" / "database.yml"):
            file.write_text(said, encoding="utf-8")
        (self.data / "config" / "secret_key.txt").write_text(secrets.token_hex(32), encoding="utf-8")
        gemfile = self.app / "Gemfile"
        # Debian's Gemfile looks into the folder of Debian's own instance for the database that it is to speak with.
        text = re.sub(r"'/usr/share/redmine/[^']*'", f"'{self.app}/config/database.yml'", gemfile.read_text("utf-8"))
        gemfile.write_text(text + 'gem "puma"\n', encoding="utf-8")

    def _seed(self) -> None:
        """Make the laboratory once; a plan or seed that has changed since makes it anew."""
        wanted = json.dumps(plan(), sort_keys=True) + (HERE / "seed.rb").read_text(encoding="utf-8")
        kept = self.place / "seeded.plan"
        if kept.exists() and kept.read_text(encoding="utf-8") == wanted and self.seeded.exists():
            return
        print("seeding Redmine with the laboratory", flush=True)
        for file in (self.database, self.seeded, kept):
            file.unlink(missing_ok=True)
        draft = self.place / "plan.json"
        draft.write_text(json.dumps(plan()), encoding="utf-8")
        environment = {**self._environment(), "PV_LIVE_PLAN": str(draft)}
        self._run(["bundle", "exec", "rake", "db:migrate"], RAILS_WITHIN, cwd=self.app, **environment)
        said = self._run(
            ["bundle", "exec", "rails", "runner", HERE / "seed.rb"], RAILS_WITHIN, cwd=self.app, **environment
        )
        if "seeded" not in said:
            raise RuntimeError(f"Redmine could not be seeded; see {self.place / 'install.log'}")
        shutil.copyfile(self.database, self.seeded)
        kept.write_text(wanted, encoding="utf-8")

    def _restore(self) -> None:
        """Begin with the laboratory as it was seeded."""
        for file in self.data.glob("redmine.sqlite3*"):
            file.unlink()
        for folder in ("files", "tmp/cache"):
            shutil.rmtree(self.data / folder)
            (self.data / folder).mkdir()
        shutil.copyfile(self.seeded, self.database)

    def _environment(self) -> dict[str, str]:
        """Return an environment in which no other Ruby, and no other Redmine, gets in the way."""
        return {
            "PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
            "HOME": str(self.place),
            "LANG": "C.UTF-8",
            "RAILS_ENV": "production",
            "REDMINE_INSTANCE": "default",
            "SCHEMA": "/dev/null",
        }

    def _run(
        self, command: Sequence[str | Path], within: float = 60.0, *, cwd: Path | None = None, **environment: str
    ) -> str:
        """Run a command to its end and return what it printed; everything goes into the log."""
        log = self.place / "install.log"
        variables = environment if "RAILS_ENV" in environment else {**os.environ, **environment}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=within, cwd=cwd, env=variables
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{command[0]} did not end in {within:g} s; see {log}") from error
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed; see {log}")
        return done.stdout

    def _await(self) -> None:
        assert self.process is not None
        give_up = time.monotonic() + READY_WITHIN
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                raise RuntimeError(f"Redmine did not start; see {self.place / 'server.log'}")
            try:
                if requests.get(f"{self.url}/projects.json", timeout=30).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.25)
        self.stop()
        raise RuntimeError(f"Redmine did not answer within {READY_WITHIN:g} s; see {self.place / 'server.log'}")


def _libraries(depends: str) -> list[str]:
    """Return the Ruby packages that a Debian package's ``Depends`` names, and those of database and server."""
    named = (re.match(r"[a-z0-9.+-]+", part.strip()) for part in depends.split(","))
    ruby = [match[0] for match in named if match and match[0].startswith("ruby")]
    return [name for name in (*ruby, "ruby-sqlite3", "puma") if name not in SPARED]


def _installed(package: str) -> bool:
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True, check=False, timeout=60
    )
    return said.stdout == "install ok installed"


def _working_directory(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None
