"""A release of Debian whose packages a server is made of: that of this machine, or a whole one in a directory.

Commands within such a directory see the installation's own directory at the same path as everyone else, so that nothing
has to be told two paths. It is mounted there for the command alone, and the mount ends with it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.live.serving import Missing

WITHIN = 1200.0
# What is mounted is gone with the process that mounted it, also with one that is killed.
APART = ("unshare", "--mount")
# A shell's script: the root, then the shared directory, then the command.
ENTER = """
mount --bind /proc "$0/proc"
mount --bind "$1" "$0$1"
root=$0
shift
exec chroot "$root" "$@"
"""

Run = Callable[..., str]


class Debian:
    """A release of Debian.

    Args:
        suite: its name, such as ``trixie``.
        place: the directory of an installation, which commands see; the release is put below it where it is another
            than that of this machine.
    """

    def __init__(self, suite: str, place: Path) -> None:
        self.suite = suite
        self.place = place
        self.root = place / "debian"
        self.here = _suite_here() == suite

    def within(self, *command: str | Path) -> list[str | Path]:
        """Return what runs a command within the release, in the process that it is started in."""
        if self.here:
            return list(command)
        return [*APART, "sh", "-ec", ENTER, self.root, self.place, *command]

    def check(self, run: Run) -> None:
        """See that commands can be run within the release.

        Raises:
            Missing: this machine can't.
        """
        if self.here:
            return
        try:
            run([*APART, "true"])
        except (OSError, RuntimeError) as error:
            raise Missing(f"only root, where it may mount, can run Debian's release {self.suite} here") from error

    def make(self, run: Run) -> None:
        """Put the release into its directory, anew where there is one, unless it is that of this machine.

        Raises:
            Missing: this machine can't.
        """
        if self.here:
            return
        if shutil.which("debootstrap") is None:
            Debian(_suite_here(), self.place).install(run, "debootstrap")
        shutil.rmtree(self.root, ignore_errors=True)
        try:
            run([*APART, "debootstrap", "--variant=minbase", self.suite, self.root], WITHIN)
        except RuntimeError as error:
            raise Missing(f"Debian's release {self.suite} can't be put into a directory: {error}") from error
        (self.root / self.place.relative_to("/")).mkdir(parents=True)

    def install(self, run: Run, *packages: str) -> None:
        """Let apt install the packages that are missing.

        Raises:
            Missing: this machine can't.
        """
        self._need_apt()
        missing = [name for name in packages if not self._installed(name)]
        if not missing:
            return
        if os.geteuid() != 0:
            wanted = " ".join(missing)
            raise Missing(f"packages are missing that only root can install: apt-get install {wanted}")
        run(self.within("apt-get", "update", "-q"), WITHIN)
        install = self.within("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing)
        run(install, WITHIN, DEBIAN_FRONTEND="noninteractive")

    def fetch(self, run: Run, package: str, version: str) -> Path:
        """Download a package without installing it.

        Args:
            run: runs a command to its end.
            package: its name.
            version: the first part of the version that it must have.

        Raises:
            Missing: this machine can't.
        """
        self._need_apt()
        downloads = self.place / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir()
        download = self.within("env", "-C", downloads, "apt-get", "download", "-q", package)
        try:
            run(download, WITHIN)
        except RuntimeError:
            if os.geteuid() == 0:
                run(self.within("apt-get", "update", "-q"), WITHIN)
            try:
                run(download, WITHIN)
            except RuntimeError as error:
                raise Missing(f"apt offers no {package} here, as Debian's release {self.suite} does") from error
        (file,) = downloads.glob(f"{package}_*.deb")
        offered = run(self.within("dpkg-deb", "-f", file, "Version")).strip()
        if not offered.startswith(f"{version}."):
            raise Missing(f"apt offers {package} {offered} here, not {version}")
        return file

    def _need_apt(self) -> None:
        for tool in ("apt-get", "dpkg-deb", "dpkg-query"):
            if self.here and shutil.which(tool) is None:
                raise Missing(f"Debian's packages are needed, and this machine has no {tool}")

    def _installed(self, package: str) -> bool:
        command = self.within("dpkg-query", "-W", "-f", "${Status}", package)
        query = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return query.stdout == "install ok installed"


def _suite_here() -> str:
    """Return the name of this machine's release; empty where it is no Debian."""
    try:
        names = platform.freedesktop_os_release()
    except OSError:
        return ""
    return names.get("VERSION_CODENAME", "") if names.get("ID") == "debian" else ""
