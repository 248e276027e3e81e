"""On which address the service page is shown: that of the service interface, never all of them by accident."""

import fcntl
import ipaddress
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

from agent.errors import DeviceAbsentError, UsageError

SIOCGIFADDR = 0x8915
"""ioctl: the IPv4 address of an interface (netdevice(7)); sockaddr_in lies 16 bytes into struct ifreq."""

LISTEN_BACKLOG = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen. `interface` is empty where only an address was named."""

    address: str
    interface: str = ""

    @property
    def host(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.address}]" if ":" in self.address else self.address


def choose(interface: str, address: str, open_to_all: str) -> Place:
    """The place that is meant. UsageError: none, or one too open; DeviceAbsentError: no such interface, or no address.

    `open_to_all` is somebody's reason for an address that others than the technician reach; empty: there is none.
    """
    if address:
        place = Place(_plain(address), interface)
    elif interface:
        place = Place(address_of(interface), interface)
    else:
        raise UsageError(
            "where? say --interface NAME (the technician's network, as in wlan0), --address A, or set service.interface"
        )
    told = ipaddress.ip_address(place.address)
    if (told.is_unspecified or told.is_global) and not open_to_all:
        kind = "is every interface, the mobile network too" if told.is_unspecified else "is reached from the internet"
        raise UsageError(f"{place.address} {kind}: name the service interface; or say why: --open-to-all REASON")
    return place


def address_of(interface: str) -> str:
    """The IPv4 address of an interface. DeviceAbsentError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            told = fcntl.ioctl(asked, SIOCGIFADDR, struct.pack("16s24x", interface.encode()))
        except OSError as why:
            known = ", ".join(name for _, name in socket.if_nameindex())
            raise DeviceAbsentError(
                f"interface {interface}: {why.strerror}; bring it up and give it an address; there are: {known}"
            ) from None
    return socket.inet_ntoa(told[20:24])


def listen(place: Place, port: int) -> socket.socket:
    """A socket that listens there, and on no other interface where one is named. DeviceAbsentError."""
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if place.interface:
            with suppress(PermissionError):  # a kernel before 5.7 lets only root; the address alone then binds it
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, place.interface.encode())
        listening.bind((place.address, port))
        listening.listen(LISTEN_BACKLOG)
        listening.setblocking(False)
    except OSError as why:
        listening.close()
        raise DeviceAbsentError(f"{place.host}:{port}: {why.strerror}; is another page open there?") from None
    return listening


def _plain(address: str) -> str:
    """The address as ipaddress writes it. UsageError: it is none."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise UsageError(f"--address {address}: an IP address, as in 192.168.4.1") from None
