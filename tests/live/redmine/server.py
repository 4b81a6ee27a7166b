"""Installs a release of Redmine once, seeds it once, and starts it from the seeded database each time.

Debian has Redmine and the Ruby libraries that it stands on. The libraries are installed by apt, on this machine or in a
directory that holds the release of Debian which has this Redmine. Redmine itself is unpacked into the clone, where its
database, files and logs stay too. Debian's own instance is neither made nor touched.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import requests

from tests.live.debian import Debian
from tests.live.redmine.plan import plan
from tests.live.redmine.releases import FIVE, Release
from tests.live.serving import LiveServer, home

HERE = Path(__file__).parent
RAILS_WITHIN = 300.0
# Not threads: one that waits for SQLite's lock lets no other go on, also not the one that has it, until it gives up.
PROCESSES = 2
# Libraries that Redmine can do without.
SPARED = frozenset({"ruby-rmagick"})


class Server(LiveServer):
    """Redmine on this machine.

    Args:
        instance: its name; each has its own data.
        place: the directory of the installation; under ``$LIVE_HOME``, else in the clone, by default.
        release: the release of Redmine.
    """

    name = "Redmine"

    def __init__(self, instance: str = "main", place: Path | None = None, release: Release = FIVE) -> None:
        super().__init__(instance, place or home() / str(release))
        self.release = release
        self.debian = Debian(release.suite, self.place)
        self.template = self.place / "redmine"
        self.app = self.home / "redmine"
        self.data = self.app / "instances" / "default"
        self.database = self.data / "redmine.sqlite3"
        self.seeded = self.place / "seeded.sqlite3"

    @property
    def url(self) -> str:
        """The address of the pages and of the API."""
        return self.origin

    def command(self) -> Sequence[str | Path]:
        """Return the web server; its tag is how a later run knows one that was left behind."""
        address = f"tcp://127.0.0.1:{self.port}"
        return self._bundled(
            "puma", "-q", "--tag", self.home, "-b", address, "-w", str(PROCESSES), "-t", "1:1", "config.ru"
        )

    def answers(self) -> bool:
        """Say whether Redmine is ready."""
        return requests.get(f"{self.url}/projects.json", timeout=30).ok

    def rails(self, ruby: str | Path, **environment: str | Path) -> str:
        """Run Ruby within Redmine, for what its API can't set, and return what it prints."""
        return self.run(self._bundled("rails", "runner", ruby, **environment), RAILS_WITHIN)

    def _bundled(self, *command: str | Path, **environment: str | Path) -> list[str | Path]:
        """Return a command within Redmine, in an environment in which no other Ruby or Redmine gets in the way."""
        variables = {
            "PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
            "HOME": self.home,
            "LANG": "C.UTF-8",
            "RAILS_ENV": "production",
            "REDMINE_INSTANCE": "default",
            "SCHEMA": "/dev/null",
            **environment,
        }
        settings = [f"{name}={value}" for name, value in variables.items()]
        return self.debian.within("env", "-i", "-C", self.app, *settings, "bundle", "exec", *command)

    def install(self) -> None:
        """Unpack Redmine and let apt install what it stands on; a half-made installation is made anew."""
        self.debian.check(self.run)
        done = self.place / "unpacked"
        if done.exists():
            return
        print(f"installing Redmine {self.release.number} into {self.place}; this takes some minutes", flush=True)
        self.debian.make(self.run)
        unpacked = self.place / "package"
        for leftover in (unpacked, self.template):
            shutil.rmtree(leftover, ignore_errors=True)
        package = self.debian.fetch(self.run, "redmine", str(self.release.number))
        depends = self.run(self.debian.within("dpkg-deb", "-f", package, "Depends"))
        self.debian.install(self.run, *_libraries(depends))
        self.run(self.debian.within("dpkg-deb", "-x", package, unpacked))
        _lead_out(unpacked)
        (unpacked / "usr" / "share" / "redmine").rename(self.template)
        done.touch()

    def _configure(self) -> None:
        """Copy the unpacked Redmine, and give it a database, keys and folders of its own in the place of Debian's."""
        shutil.rmtree(self.app, ignore_errors=True)
        shutil.copytree(self.template, self.app, symlinks=True)
        for link in ("instances", "Gemfile.lock", "config/database.yml"):
            (self.app / link).unlink(missing_ok=True)
        for folder in ("config", "files", "log", "tmp/cache", "tmp/pids", "plugins"):
            (self.data / folder).mkdir(parents=True)
        # A write that waits for the database must give up before its caller does, or it takes effect long after that.
        settings = f"production:\n  adapter: sqlite3\n  database: {self.database}\n  timeout: 8000\n"
        for file in (self.data / "config" / "database.yml", self.app / "config" / "database.yml"):
            file.write_text(settings, encoding="utf-8")
        (self.data / "config" / "secret_key.txt").write_text(secrets.token_hex(32), encoding="utf-8")
        gemfile = self.app / "Gemfile"
        # Debian's Gemfile looks into the folder of Debian's own instance for the database that it is to speak with.
        text = re.sub(r"'/usr/share/redmine/[^']*'", f"'{self.app}/config/database.yml'", gemfile.read_text("utf-8"))
        gemfile.write_text(text + 'gem "puma"\n', encoding="utf-8")

    def seed(self) -> None:
        """Make the laboratory once; a plan or seed that has changed since makes it anew."""
        wanted = json.dumps(plan(), sort_keys=True) + (HERE / "seed.rb").read_text(encoding="utf-8")
        kept = self.place / "seeded.plan"
        if kept.exists() and kept.read_text(encoding="utf-8") == wanted and self.seeded.exists():
            return
        print("seeding Redmine with the laboratory", flush=True)
        for file in (self.seeded, kept):
            file.unlink(missing_ok=True)
        self._configure()
        draft = self.place / "plan.json"
        draft.write_text(json.dumps(plan()), encoding="utf-8")
        self.run(self._bundled("rake", "db:migrate"), RAILS_WITHIN)
        seed = shutil.copy(HERE / "seed.rb", self.place)
        if "seeded" not in self.rails(seed, PV_LIVE_PLAN=draft):
            raise RuntimeError(f"Redmine could not be seeded; see {self.place / 'install.log'}")
        _keep(self.database, self.seeded)
        kept.write_text(wanted, encoding="utf-8")

    def restore(self) -> None:
        """Begin with the laboratory as it was seeded."""
        self._configure()
        shutil.copyfile(self.seeded, self.database)


def _libraries(depends: str) -> list[str]:
    """Return the libraries that a Debian package's ``Depends`` names, and those of database and server."""
    named = (re.match(r"[a-z0-9.+-]+", part.strip()) for part in depends.split(","))
    libraries = [match[0] for match in named if match and match[0].startswith(("ruby", "libjs"))]
    return [name for name in (*libraries, "ruby-sqlite3", "puma") if name not in SPARED]


def _keep(database: Path, copy: Path) -> None:
    """Copy a database with what SQLite has in its log only, where a process that ended has left it."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _lead_out(unpacked: Path) -> None:
    """Let an unpacked package's relative links lead to the installed libraries, wherever it is copied to."""
    for path in unpacked.rglob("*"):
        if path.is_symlink() and not (target := path.readlink()).is_absolute():
            path.unlink()
            path.symlink_to(os.path.normpath("/" / path.relative_to(unpacked).parent / target))
