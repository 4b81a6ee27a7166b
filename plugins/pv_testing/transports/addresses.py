"""Where requests with credentials may go: to the configured origin, over TLS unless it is this machine."""

from __future__ import annotations

import functools
import ipaddress
import re
from urllib.parse import quote

from yarl import URL

from pv_testing.core.errors import ConfigError, SecurityError, redact

_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_AS_IT_IS = "%/:?#[]@!$&'()*+,;=~"
_REMEMBERED = 1024


class Addresses:
    """The addresses of one system.

    Args:
        base_url: where every path starts from.
        allow_http: permit an address without TLS that is not on this machine.

    Raises:
        ConfigError: the address is not one.
        SecurityError: it has no TLS and is not on this machine, or it carries credentials.
    """

    def __init__(self, base_url: str, *, allow_http: bool = False) -> None:
        self._base = checked_address(base_url, allow_http=allow_http)
        self._allow_http = allow_http
        self.of = functools.lru_cache(maxsize=_REMEMBERED)(self._of)

    @property
    def secure(self) -> bool:
        """Whether the system is reached over TLS."""
        return self._base.scheme == "https"

    def is_own(self, url: URL) -> bool:
        """Whether an address is the system's own."""
        base = self._base
        return (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)

    def next_of(self, url: URL, reference: str) -> URL:
        """Return where an answer from an address of the system points to.

        Raises:
            SecurityError: to another origin, or nowhere.
        """
        return self._own(reference, url)

    def anywhere(self, path: str) -> URL:
        """Return the full address of a path or of another system, such as one that hands out tokens."""
        return checked_address(path, allow_http=self._allow_http) if _ABSOLUTE.match(path) else self.of(path)

    def _of(self, path: str) -> URL:
        """Return the full address of a path; one that starts with the base's own path is not doubled.

        Raises:
            SecurityError: the path leads to another origin or climbs out of the base address.
        """
        if _ABSOLUTE.match(path):
            return self._own(path, self._base)
        if {".", ".."} & set(re.split(r"[/\\]", re.split(r"[?#]", path, maxsplit=1)[0])):
            raise SecurityError(f"the path {path[:80]!r} climbs out of the base address")
        base = self._base.path.rstrip("/")
        joined = path if base and path.startswith(base + "/") else f"{base}/{path.lstrip('/')}"
        return self._base.join(URL(quote(joined, safe=_AS_IT_IS), encoded=True))

    def _own(self, reference: str, place: URL) -> URL:
        """Return what a reference means at a place, if that is the system's own."""
        try:
            url = place.join(URL(reference))
        except ValueError as error:
            raise SecurityError("the system points to an address that is none", excerpt=reference) from error
        if url.user is not None or url.password is not None:
            raise SecurityError("the address carries credentials")
        if not self.is_own(url):
            raise SecurityError(f"the address {url.origin()} is not the system's own; credentials stay at home")
        return url


def checked_address(address: str, *, allow_http: bool) -> URL:
    """Return an address that requests with credentials may go to.

    Raises:
        ConfigError: it is not an HTTP address.
        SecurityError: it has no TLS and is not on this machine, or it carries credentials.
    """
    try:
        url = URL(address)
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError(f"{redact(address, 80)!r} is not an address; write it like https://lims.company.com/api/v2")
    if url.user is not None or url.password is not None:
        raise SecurityError("the address carries credentials; move them to username and password")
    if url.scheme == "http" and not allow_http and not is_this_machine(url.host):
        raise SecurityError(f"{url.host} is reached without TLS; use https, or set allow_http if you must")
    return url


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine, so that nothing between here and there can be read by others."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
