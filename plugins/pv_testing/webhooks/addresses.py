"""Where events may be sent: to public addresses, and to those within the laboratory that its configuration opens.

A person who may register an endpoint must not thereby reach the machine's own services, the cloud's metadata or the
laboratory's network. An address is looked at when it is registered, and each time that a connection is opened: the
very addresses that were looked at are connected to, so that a name can't mean another one meanwhile.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from pv_testing.core.errors import SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST = 2_000
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]*))*\.?", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*", re.IGNORECASE)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("64:ff9b:1::/48", "fec0::/10", "192.88.99.0/24", "::/96")))
_LAST_32 = 0xFFFF_FFFF


@dataclass(frozen=True)
class Guard:
    """Decides where events may be sent.

    Attributes:
        names: hosts that may have any address.
        networks: networks whose addresses are allowed beside public ones.
        allow_http: whether an address without TLS is accepted.
    """

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    allow_http: bool = False

    @classmethod
    def of(cls, allow: Sequence[str], *, allow_http: bool = False) -> Guard:
        """Return the guard that a configuration describes.

        Args:
            allow: names of hosts, addresses and networks.
            allow_http: whether an address without TLS is accepted.

        Raises:
            ValueError: an entry is neither.
        """
        names, networks = set(), []
        for entry in allow:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if _NUMERIC.fullmatch(entry) or "/" in entry or not _HOST.fullmatch(entry):
                    raise ValueError(f"{entry!r} is neither a host, an address nor a network") from None
                names.add(entry.lower())
        return cls(frozenset(names), tuple(networks), allow_http)

    def check(self, address: str) -> URL:
        """Return an address that may be sent to, as far as it can be told without asking for its name.

        Raises:
            SecurityError: it may not (``ADDRESS_REFUSED``).
        """
        url = _parsed(address)
        if url.scheme not in {"https", "http"} or not url.host:
            raise _refused(address, "only https addresses are told of events")
        if url.scheme == "http" and not self.allow_http:
            raise _refused(address, "it has no TLS; use https, or set send.allow_http in config/webhooks.yaml")
        if "@" in _authority(address):
            raise _refused(address, "it carries credentials; they would be in the ledger and in logs")
        if url.raw_fragment:
            raise _refused(address, "it has a fragment, which is never sent")
        self._check_host(url.host, address)
        return url

    def _check_host(self, host: str, address: str) -> None:
        literal = _literal(host)
        if literal is not None:
            if "%" in host or str(literal) != host.lower() or _looks_odd(host, address):
                raise _refused(address, "its host is a number in an unusual form")
            self.admit(host, literal)
        elif _NUMERIC.fullmatch(host) or not _HOST.fullmatch(host):
            raise _refused(address, "its host is a number in an unusual form, or no name")

    def admit(self, host: str, address: Address) -> None:
        """Return if a host's address may be connected to.

        Raises:
            SecurityError: it may not (``ADDRESS_REFUSED``).
        """
        if host.lower().rstrip(".") in self.names:
            return
        for each in (address, *_within(address)):
            if not any(each in network for network in self.networks) and not _is_public(each):
                text = f"{visible(host)} is {address}, which is no public address"
                raise SecurityError(
                    f"{text}; open it with send.allow in config/webhooks.yaml", code=Reason.ADDRESS_REFUSED
                )


def _parsed(address: str) -> URL:
    if len(address) > LONGEST or not address.isascii() or re.search(r"[\x00-\x20\x7f\\]", address):
        raise _refused(address, "it is too long, or has characters that no address has")
    try:
        return URL(address)
    except ValueError:
        raise _refused(address, "it can't be read") from None


def _refused(address: str, why: str) -> SecurityError:
    shown = re.sub(r"//[^/@]*@", "//***@", address)[:80]
    return SecurityError(f"{visible(shown)} can't be told of events: {why}", code=Reason.ADDRESS_REFUSED)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _looks_odd(host: str, address: str) -> bool:
    """Say whether the address as it was written has another form of the host than the parser has made of it."""
    return host.lower() not in _authority(address).lower()


def _authority(address: str) -> str:
    return re.split(r"[/?#]", address.partition("://")[2], maxsplit=1)[0]


def _within(address: Address) -> Iterator[Address]:
    """Give the IPv4 addresses that an IPv6 address may lead to."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & _LAST_32)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return True  # what it leads to is looked at by itself
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class CheckedResolver(AbstractResolver):
    """Asks for a host's addresses and hands on only those that may be connected to; one that may not refuses all.

    Args:
        guard: decides.
        inner: who is asked.
    """

    def __init__(self, guard: Guard, inner: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses to connect to.

        Raises:
            SecurityError: one of them may not be connected to (``ADDRESS_REFUSED``).
        """
        results = await self._inner.resolve(host, port, family)
        for each in results:
            self._guard.admit(host, ipaddress.ip_address(each["host"].partition("%")[0]))
        return results

    async def close(self) -> None:
        """Close who is asked."""
        await self._inner.close()


async def resolve(guard: Guard, url: URL, resolver: AbstractResolver | None = None) -> list[Any]:
    """Ask for the addresses of a host that is being registered; none where it has no address now.

    Raises:
        SecurityError: one of them may not be connected to (``ADDRESS_REFUSED``).
    """
    host = url.host or ""
    if _literal(host) is not None:
        return []
    checked = CheckedResolver(guard, resolver)
    try:
        return list(await asyncio.wait_for(checked.resolve(host, url.port or 443), timeout=5))
    except (OSError, TimeoutError, asyncio.TimeoutError):
        return []
    finally:
        await checked.close()
