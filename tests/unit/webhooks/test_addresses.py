"""Only public addresses, and what the configuration opens, are told of events: when registered, when connected."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver

from pv_testing.core.errors import SecurityError
from pv_testing.core.sync import run
from pv_testing.webhooks import sending
from pv_testing.webhooks.addresses import CheckedResolver, Guard, resolve

REFUSED = [
    "http://93.184.216.34/",
    "https://127.0.0.1/hook", "https://127.8.9.1/", "https://[::1]/", "https://0.0.0.0/", "https://[::]/",
    "https://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
    "https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://[fd00::1]/",
    "https://100.64.0.1/", "https://100.127.255.255/", "https://224.0.0.1/", "https://[ff02::1]/",
    "https://255.255.255.255/", "https://240.0.0.1/", "https://192.0.2.1/", "https://198.18.0.1/",
    "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://127.0.1/",
    "https://0x7f.0.0.1/", "https://017700000001/", "https://0/", "https://127.0.0.1./", "https://8.8.8/",
    "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[::127.0.0.1]/", "https://[fec0::1]/",
    "https://a@127.0.0.1/", "https://user:word@example.com/", "https://user@example.com/", "https://@example.com/",
    "https://example.com@127.0.0.1/", "https://example.com\\@127.0.0.1/", "https://exa mple.com/", "https://ex\tample/",
    "https://１２７.0.0.1/", "https://①②⑦.0.0.1/", "https://example。com/", "https://example.com/#part",
    "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "javascript:alert(1)", "//example.com/",
    "example.com", "https://", "https:///path", "", "https://exam%70le.com/", "https://127%2e0.0.1/",
    "https://example.com:99999/", "https://" + "a" * 3000 + ".com/",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused_before_anything_is_asked(address: str) -> None:
    with pytest.raises(SecurityError) as refused:
        Guard().check(address)
    assert refused.value.code == "ADDRESS_REFUSED"
    assert "word" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/hook?x=1",
        "https://EXAMPLE.com:8443/",
        "https://93.184.216.34/",
        "https://[2606:4700::1111]/",
    ],
)
def test_a_public_address_is_accepted(address: str) -> None:
    assert Guard().check(address).host


def test_the_configuration_opens_what_a_laboratory_needs_and_no_more() -> None:
    guard = Guard.of(["10.1.2.0/24", "hooks.lab.local"], allow_http=True)
    assert guard.check("http://10.1.2.3/").host == "10.1.2.3"
    assert guard.check("http://hooks.lab.local/").host == "hooks.lab.local"
    guard.admit("hooks.lab.local", ipaddress.ip_address("192.168.0.7"))
    for address in ("http://10.1.3.3/", "http://127.0.0.1/", "http://[::ffff:10.1.3.3]/"):
        with pytest.raises(SecurityError):
            guard.check(address)
    with pytest.raises(SecurityError):
        guard.admit("other.lab.local", ipaddress.ip_address("192.168.0.7"))


@pytest.mark.parametrize("entry", ["10.1.2.3/24", "127.1", "0x7f000001", "a b", "https://x", ""])
def test_an_entry_that_is_none_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a host"):
        Guard.of([entry])


class Changing(AbstractResolver):
    """Answers with another address each time."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list:
        found = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return [{
            "hostname": host, "host": found, "port": port, "family": family, "proto": 0, "flags": 0,
        }]  # fmt: skip

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_means_an_inner_address_is_refused_when_it_is_registered(address: str) -> None:
    with pytest.raises(SecurityError, match="no public address"):
        run(resolve(Guard(), Guard().check("https://inner.example.com/"), Changing(address)))


def test_a_name_that_has_no_address_now_may_be_registered() -> None:
    assert run(resolve(Guard(), Guard().check("https://no-such-name.invalid/"))) == []


def test_a_name_that_changes_between_check_and_connection_is_refused_when_it_is_connected(told) -> None:
    port = told.url.split(":")[2].split("/")[0]
    guard = Guard(allow_http=True)
    names = Changing("93.184.216.34", "127.0.0.1")
    url = guard.check(f"http://rebinding.example.com:{port}/")
    run(resolve(guard, url, names))

    async def try_it() -> sending.Answer:
        client = sending.session(guard, concurrency=1)
        client.connector._resolver = CheckedResolver(guard, names)
        async with client:
            return await sending.send(client, url, b"{}", {})

    answer = asyncio.run(try_it())
    assert "no public address" in answer.reason
    assert told.requests == []


def test_what_is_connected_to_is_the_address_that_was_looked_at(told) -> None:
    """The resolver is asked once a connection, so that no second answer can be another one."""
    port = told.url.split(":")[2].split("/")[0]
    guard = Guard.of(["127.0.0.1"], allow_http=True)
    names = Changing("127.0.0.1", "127.0.0.2", "127.0.0.3")

    async def try_it() -> sending.Answer:
        client = sending.session(guard, concurrency=1)
        client.connector._resolver = CheckedResolver(guard, names)
        async with client:
            return await sending.send(client, guard.check(f"http://some.example.com:{port}/"), b"{}", {})

    assert asyncio.run(try_it()).status == 200
    assert names.addresses == ["127.0.0.2", "127.0.0.3"]
