"""The network as a stranger's address may use it: public addresses only, and no longer than agreed."""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NEVER = (
    # Azure's metadata service: a public number that only ever means the machine one stands on.
    ipaddress.IPv4Network("168.63.129.16/32"),
    # Set aside by IANA, Oracle's metadata service among them; Python's own table came to know the whole range late.
    ipaddress.IPv4Network("192.0.0.0/24"),
)


class Refused(Exception):
    """The host has an address that is not public."""


class GuardedBackend(httpcore2.NetworkBackend):
    """Looks a name up once, checks every address found, and dials one of those.

    A name that answers differently the second time (DNS rebinding) gains nothing, as nobody asks again. TLS goes on
    above this, and checks the certificate against the host's name as ever.
    """

    def __init__(self, allowed_private_hosts: frozenset[str], *, deadline: float) -> None:
        self._allowed = frozenset(host.lower() for host in allowed_private_hosts)
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Dial one of the host's checked addresses, the first that answers.

        Raises:
            Refused: any of its addresses is not public, and the host is not allowed to be private.
        """
        addresses = _resolve(host, port, timeout=_left(self._deadline))
        is_allowed = not self._allowed.isdisjoint({host.lower(), authority(host, port).lower()})
        if not is_allowed and not all(map(is_public, addresses)):
            raise Refused(host)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = httpcore2.SyncBackend().connect_tcp(
                    str(address), port, _left(self._deadline), local_address, socket_options or []
                )
                return _TimedStream(stream, deadline=self._deadline)
            except httpcore2.ConnectError as error:
                failure = error
        raise failure


def authority(host: str, port: int | None) -> str:
    """Host and port as a URL and the Host header write them: an IPv6 address in brackets."""
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def is_public(address: Address) -> bool:
    """Whether the whole Internet can reach it, so that we reach nothing more than the stranger can.

    An IPv6 address that carries an IPv4 one inside (mapped, 6to4, NAT64) is as public as that one.
    """
    if isinstance(address, ipaddress.IPv4Address):
        # `is_global` leaves out private, loopback, link-local, carrier NAT and reserved ranges, but not multicast.
        return address.is_global and not address.is_multicast and not any(address in network for network in _NEVER)
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return is_public(inner) if inner else address.is_global and address in _GLOBAL_IPV6


class _TimedStream(httpcore2.NetworkStream):
    """One deadline over everything: a timeout per read would let a server drip a byte each time, for ever."""

    def __init__(self, stream: httpcore2.NetworkStream, *, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _TimedStream(secured, deadline=self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the time is over")
    return left


def _resolve(host: str, port: int, *, timeout: float) -> list[Address]:
    """All addresses of a host. In a thread of its own: the system's resolver takes as long as it likes."""
    found: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put([ipaddress.ip_address(entry[4][0]) for entry in entries])
        except (OSError, ValueError) as error:  # ValueError: a name that IDNA cannot spell
            found.put(httpcore2.ConnectError(f"its host name does not resolve: {error}"))

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        answer = found.get(timeout=timeout)
    except queue.Empty as error:
        raise httpcore2.ConnectTimeout("its host name did not resolve in time") from error
    if isinstance(answer, Exception):
        raise answer
    return answer
