"""Which addresses are everybody's, and that only those are dialed."""

import ipaddress
import socket
import time

import httpcore2
import pytest

from workers_app.guard import GuardedBackend, Refused, is_public


@pytest.mark.parametrize(
    "address",
    [
        *["0.0.0.0", "10.1.2.3", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "192.168.1.1"],
        *["100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1"],
        *["240.0.0.1", "255.255.255.255", "168.63.129.16"],
        *["::", "::1", "fe80::1", "fe80::1%2", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"],
        *["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"],
        *["2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"],
        *["64:ff9b:1::808:808", "100::1"],
    ],
)
def test_an_address_that_is_not_everybodys_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


def dial(host, port, *allowed):
    backend = GuardedBackend(frozenset(allowed), deadline=time.monotonic() + 3)
    return backend.connect_tcp(host, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "2130706433", "0x7f.1", "0"])
def test_however_it_is_spelled_a_private_host_is_not_dialed(listener, host):
    with pytest.raises((Refused, httpcore2.ConnectError)):
        dial(host, listener.getsockname()[1])
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_private_host_is_dialed_when_it_is_allowed_with_or_without_its_port(listener):
    port = listener.getsockname()[1]
    for allowed in ("localhost", f"localhost:{port}"):
        dial("localhost", port, allowed).close()
        listener.accept()[0].close()


def test_what_is_allowed_for_one_host_or_port_is_not_for_another(listener):
    port = listener.getsockname()[1]
    for allowed in ("localhost", f"127.0.0.1:{port + 1}", "example.com"):
        with pytest.raises(Refused):
            dial("127.0.0.1", port, allowed)


class ResolverThatChangesItsMind:
    """Public when it is asked first, and ours ever after: DNS rebinding."""

    def __init__(self, port):
        self.asked, self.port, self.real = [], port, socket.getaddrinfo

    def __call__(self, host, port, *args, **kwargs):
        if host != "rebind.example":
            return self.real(host, port, *args, **kwargs)
        self.asked.append(host)
        address = "192.0.2.1" if len(self.asked) > 1 else "203.0.114.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_a_name_is_looked_up_once_and_the_checked_address_is_dialed(monkeypatch):
    resolver, dialed = ResolverThatChangesItsMind(80), []
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(socket, "create_connection", lambda address, *args, **kwargs: dialed.append(address) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dial("rebind.example", 80)
    assert (resolver.asked, dialed) == (["rebind.example"], [("203.0.114.1", 80)])


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch):
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (at, 80)) for at in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: entries)
    with pytest.raises(Refused):
        dial("mixed.example", 80)


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(2))
    started = time.monotonic()
    with pytest.raises(httpcore2.ConnectTimeout):
        GuardedBackend(frozenset(), deadline=started + 0.3).connect_tcp("slow.example", 80)
    assert time.monotonic() - started < 1
