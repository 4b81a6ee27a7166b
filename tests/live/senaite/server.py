"""Installs SENAITE 2.6.0 once, seeds it once, and starts it from the seeded database each time.

SENAITE 2.6 runs on Python 2.7 and nothing later. A first start takes minutes and 550 MB, a later one half a minute.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import requests

from tests.live.senaite.plan import ADMIN, ADMIN_PASSWORD, plan

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
READY_WITHIN = 240.0
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}


class Missing(RuntimeError):
    """What SENAITE needs is not on this machine."""


def home() -> Path:
    """Return where live systems are installed: ``$LIVE_HOME``, else ``.run/live`` in the clone."""
    return Path(os.environ.get("LIVE_HOME") or ROOT / ".run" / "live")


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


class Server:
    """SENAITE on this machine.

    Args:
        place: the directory of the installation and its data.
    """

    def __init__(self, place: Path | None = None) -> None:
        self.place = place or home() / "senaite"
        self.instance = self.place / "instance"
        self.database = self.instance / "var" / "Data.fs"
        self.seeded = self.place / "seeded" / "Data.fs"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._lock: TextIO | None = None

    @property
    def origin(self) -> str:
        """The server's address without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address of the site's JSON API."""
        return f"{self.origin}/senaite/@@API/senaite/v1"

    def start(self, port: int = 0) -> None:
        """Install and seed what isn't there yet, and serve the seeded site on a free port unless one is named.

        Raises:
            Missing: there is no Python 2.7.
            RuntimeError: something failed; the message names the log.
        """
        self._take()
        self._install()
        self._seed()
        for name in ("Data.fs", "Data.fs.index"):
            copy = self.seeded.parent / name
            if copy.exists():
                shutil.copyfile(copy, self.database.parent / name)
        self.port = port or free_port()
        self._configure()
        with (self.place / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [self._bin("runwsgi"), self.instance / "etc" / "zope.ini"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **QUIET},
            )
        (self.place / "server.pid").write_text(str(self.process.pid), encoding="utf-8")
        self._await()

    def stop(self) -> None:
        """Stop the server that was started here, and only that."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

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
            pid = left.read_text(encoding="utf-8")
            said = subprocess.run(["ps", "-o", "command=", "-p", pid], capture_output=True, text=True, check=False)
            if str(self._bin("runwsgi")) in said.stdout:
                os.killpg(int(pid), signal.SIGKILL)
            left.unlink()

    def _bin(self, name: str) -> Path:
        return self.place / "venv" / "bin" / name

    def _install(self) -> None:
        """Make the virtual environment and the Zope instance; a half-made one is made anew."""
        done = self.place / "installed"
        if done.exists():
            return
        python = python27()
        print(f"installing SENAITE 2.6.0 into {self.place}; this takes some minutes", flush=True)
        for leftover in ("bootstrap", "venv", "instance"):
            shutil.rmtree(self.place / leftover, ignore_errors=True)
        bootstrap = self.place / "bootstrap"
        self._run([python, "-m", "pip", "install", "-q", "--target", bootstrap, "virtualenv==20.15.1"])
        self._run([python, "-m", "virtualenv", "-q", self.place / "venv"], PYTHONPATH=str(bootstrap))
        pip = self._bin("pip")
        self._run([pip, "install", "-q", "setuptools==44.1.1", "wheel==0.37.1"])
        self._run([pip, "install", "-q", "--no-deps", "-r", HERE / "requirements.txt"])
        self._run([self._bin("mkwsgiinstance"), "-d", self.instance, "-u", f"{ADMIN}:{ADMIN_PASSWORD}"])
        shutil.copyfile(HERE / "site.zcml", self.instance / "etc" / "site.zcml")
        done.touch()

    def _seed(self) -> None:
        """Make the site once; a plan that has changed since makes it anew."""
        wanted = json.dumps(plan(), sort_keys=True)
        kept = self.seeded.parent / "plan.json"
        if kept.exists() and kept.read_text(encoding="utf-8") == wanted and self.seeded.exists():
            return
        print("seeding SENAITE with the laboratory", flush=True)
        shutil.rmtree(self.database.parent, ignore_errors=True)
        shutil.rmtree(self.seeded.parent, ignore_errors=True)
        for directory in (self.database.parent / "log", self.database.parent / "cache", self.seeded.parent):
            directory.mkdir(parents=True)
        draft = self.place / "plan.json"
        draft.write_text(wanted, encoding="utf-8")
        said = self._run(
            [self._bin("zconsole"), "run", self.instance / "etc" / "zope.conf", HERE / "seed.py"],
            PV_LIVE_PLAN=str(draft),
        )
        if "seeded" not in said:
            raise RuntimeError(f"the site could not be seeded; see {self.place / 'install.log'}")
        for file in self.database.parent.glob("Data.fs*"):
            shutil.copyfile(file, self.seeded.parent / file.name)
        draft.replace(kept)

    def _configure(self) -> None:
        """Let the server listen on the loopback at the chosen port."""
        file = self.instance / "etc" / "zope.ini"
        text = re.sub(r"^(listen|host|port) = .*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        server = "use = egg:waitress#main\n"
        text = text.replace(server, f"{server}host = 127.0.0.1\nport = {self.port}\n")
        file.write_text(text, encoding="utf-8")

    def _run(self, command: Sequence[str | Path], **environment: str) -> str:
        self.place.mkdir(parents=True, exist_ok=True)
        log = self.place / "install.log"
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **QUIET, **environment}
        )
        with log.open("a", encoding="utf-8") as file:
            file.write(done.stdout + done.stderr)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed; see {log}")
        return done.stdout

    def _await(self) -> None:
        assert self.process is not None
        give_up = time.monotonic() + READY_WITHIN
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                raise RuntimeError(f"SENAITE did not start; see {self.place / 'server.log'}")
            try:
                if requests.get(f"{self.url}/version", timeout=30).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.25)
        self.stop()
        raise RuntimeError(f"SENAITE did not answer within {READY_WITHIN:g} s; see {self.place / 'server.log'}")


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def announcement(server: Server) -> Mapping[str, str]:
    """Return where the server is, for a person who started it by hand."""
    return {"base_url": server.url, "pages": f"{server.origin}/senaite"}
