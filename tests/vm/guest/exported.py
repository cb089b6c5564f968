"""Virtual spectrometers on the kernel's own USB: oesd's virtual devices behind a USB/IP server, attached to vhci_hcd.

The kernel, udev, permissions, libusb, pyusb and seabreeze are real; the spectrometer is :mod:`oesd_drivers.virtual`.
Commands come by a Unix socket: ``plug SERIAL PORT``, ``unplug SERIAL``. Runs as root, in a throw-away system only.
"""

from __future__ import annotations

import itertools
import queue
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from throwaway import BENCH

sys.path.insert(0, "/tests/usbip")

from usbip import USBIP, In, Out, Stall, USBDevice
from usbip.core import SPEED_HIGH
from usbip.device import Endpoint
from usbip.function import Interface

from oesd_drivers.virtual import BusControl, Light, VirtualBus, scene
from oesd_drivers.virtual.libusb import BusError, Code
from oesd_drivers.virtual.node import Node

VHCI = Path("/sys/devices/platform/vhci_hcd.0")
STALLED, GONE = -32, -19
_TURN_MS = 50


class Pipe(Endpoint):
    """An IN endpoint that reads from the virtual device when the host asks, and only as much as it asks for."""

    def __init__(self, spec: object, read: Callable[[int, int], bytes]) -> None:
        super().__init__(spec)
        self._read = read
        self._asked: queue.Queue = queue.Queue()
        self._guard = threading.Lock()
        self._waiting: set[int] = set()
        self._kept = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def take_or_park(self, length: int, complete: Callable, seqnum: int) -> None:
        """Answer later: when the device has data, or when the host takes its request back."""
        with self._guard:
            self._waiting.add(seqnum)
        self._asked.put((length, complete, seqnum))

    def cancel(self, seqnum: int) -> bool:
        """Take a request back, if it is one of ours that waits: the kernel gives up a device that answers it later."""
        return self._taken(seqnum)

    def reset(self) -> None:
        """The port was reset: what was on its way is lost."""
        super().reset()
        self._kept = b""

    def _taken(self, seqnum: int) -> bool:
        with self._guard:
            waited = seqnum in self._waiting
            self._waiting.discard(seqnum)
        return waited

    def _serve(self) -> None:
        while True:
            length, complete, seqnum = self._asked.get()
            self._answer(length, complete, seqnum)

    def _answer(self, length: int, complete: Callable, seqnum: int) -> None:
        """Collect packets until the request is full or a short one ends it, as a host controller does.

        What was collected for a request that the host takes back meanwhile is the next one's.
        """
        (got, self._kept), status = (self._kept[:length], self._kept[length:]), 0
        ended = bool(got) and (len(got) >= length or bool(len(got) % self.mps))
        while not ended and seqnum in self._waiting:
            try:
                packets = self._read(length - len(got), _TURN_MS)
            except BusError as error:
                if error.code is Code.TIMEOUT:
                    continue
                status = GONE if error.code is Code.NO_DEVICE else STALLED
                break
            got += packets
            ended = len(got) >= length or bool(len(packets) % self.mps)
        if self._taken(seqnum):
            complete(got, status)
        else:
            self._kept = got


class Spectrometer(Interface):
    """The one interface of a spectrometer: vendor class, bulk endpoints."""

    def __init__(self, bus: VirtualBus, node: Node) -> None:
        super().__init__()
        self._bus, self._address = bus, node.address
        self._handle: int | None = None
        self._add_endpoint(Out(node.out_endpoint, "bulk", mps=max(size for _, size in node.in_endpoints)))
        for endpoint, size in node.in_endpoints:
            pipe = Pipe(In(endpoint, "bulk", mps=size), lambda n, ms, e=endpoint: self._read(e, n, ms))
            self._endpoints[(pipe.number, pipe.dir)] = pipe

    def on_out(self, ep: Endpoint, data: bytes) -> None:
        """The host writes."""
        try:
            self._bus.write(self._opened(), ep.addr, bytes(data))
        except BusError as error:
            print(f"write of {len(data)} bytes to {ep.addr:#x}: {error}", flush=True)
            raise Stall from None

    def on_reset(self) -> None:
        """The host set the configuration or reset the port: what was on its way is lost, settings stay."""
        self._bus.reset(self._opened())

    def _read(self, endpoint: int, length: int, timeout_ms: int) -> bytes:
        return self._bus.read(self._opened(), endpoint, length, timeout_ms)

    def _opened(self) -> int:
        if self._handle is None:
            self._handle = self._bus.open(self._address)
            self._bus.claim(self._handle)
        return self._handle


class Exported:
    """The spectrometers, each plugged into a port of the kernel's virtual host controller, or not."""

    def __init__(self, devices: list[tuple[str, str]]) -> None:
        self._bus = VirtualBus()
        self._control = BusControl(self._bus, Light(scene("argon-metals"), time.monotonic), seed=1)
        for model, serial in devices:
            self._control.add(model, serial)
        self._plugged: dict[str, tuple[USBDevice, int, socket.socket]] = {}
        # A port each time: the last one's socket stays in the kernel while its thread waits for who comes.
        self._servers = itertools.count(3240)

    def plug(self, serial: str, port: int) -> None:
        """Plug a spectrometer into a port."""
        node = self._bus.plug(self._bus.device(serial))
        device = USBDevice(node.vendor_id, node.product_id, manufacturer="SIMULATED", product=node.product)
        device.busid = f"9-{port + 1}"
        device.set_speed(SPEED_HIGH)
        device.add(Spectrometer(self._bus, node))
        server = next(self._servers)
        device.plug(via=USBIP("127.0.0.1", server))
        self._plugged[serial] = (device, port, attach(device.busid, port, server))

    def unplug(self, serial: str) -> None:
        """Pull it out."""
        device, port, line = self._plugged.pop(serial)
        (VHCI / "detach").write_text(str(port))
        line.close()
        device.unplug()
        self._bus.unplug(serial)

    def obey(self, words: list[str]) -> str:
        """Do what a line says."""
        match words:
            case ["plug", serial, port]:
                self.plug(serial, int(port))
            case ["unplug", serial]:
                self.unplug(serial)
            case _:
                return "unknown"
        return "done"


def attach(busid: str, port: int, server: int) -> socket.socket:
    """Import a device as `usbip attach` does: OP_REQ_IMPORT, then the kernel gets the socket."""
    line = socket.create_connection(("127.0.0.1", server))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.sendall(struct.pack(">HHI", 0x111, 0x8003, 0) + busid.encode().ljust(32, b"\0"))
    _, _, status = struct.unpack(">HHI", received(line, 8))
    if status:
        raise OSError(f"the server does not hand out {busid}: status {status}")
    busnum, devnum, speed = struct.unpack(">III", received(line, 312)[288 + 0 : 300])
    (VHCI / "attach").write_text(f"{port} {line.fileno()} {busnum << 16 | devnum} {speed}")
    return line


def received(line: socket.socket, size: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            raise OSError("the server closed the connection")
        data += more
    return data


def serve(exported: Exported) -> None:
    """Obey lines, one connection after the other, for ever."""
    Path(BENCH).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(BENCH)
        listening.listen()
        while True:
            connection, _ = listening.accept()
            with connection:
                try:
                    answer = exported.obey(connection.recv(200).decode().split())
                except (OSError, KeyError, ValueError) as error:
                    answer = f"failed: {error!r}"
                connection.sendall(answer.encode())


if __name__ == "__main__":
    serve(Exported([("USB2000+", "VIRT0001"), ("USB4000", "VIRT0002")]))
