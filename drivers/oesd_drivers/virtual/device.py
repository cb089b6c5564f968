"""The USB side of a virtual device: endpoints, claims, plugging, faults of transfer.

The firmware behind it (``ooi``, ``obp``) takes the bytes of a bulk write and gives answers, each with the endpoint it
leaves by and the moment it is ready. Everything here runs under the device's one lock.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .faults import Fault, FaultKind, FaultQueue, Point
from .firmware import Answer, Firmware
from .instrument import Instrument
from .libusb import BusError, ClientFault, Code
from .node import Node

#: How a device waits: on a condition that is held, until it is notified or so many seconds are over, None for ever.
Wait = Callable[[threading.Condition, float | None], object]
#: Answers an endpoint keeps for a host that does not read; later ones are lost.
_FIFO_ANSWERS = 64


def wait_really(condition: threading.Condition, seconds: float | None) -> None:
    """Wait by the clock of this machine."""
    condition.wait(seconds)


@dataclass(slots=True, eq=False)
class Handle:
    """A device opened once; dead when closed or when its plugging-in is over."""

    device: VirtualDevice
    node: Node
    closed: bool = False

    @property
    def alive(self) -> bool:
        """Whether transfers can still reach the device."""
        return not self.closed and self.device.node is self.node


class VirtualDevice:
    """A device that can be plugged into a :class:`~oesd_drivers.virtual.VirtualBus`.

    Parameters
    ----------
    name : str
        Serial number: what the bus and the control call it.
    usb_ids : (int, int)
        Vendor and product.
    product, out_endpoint, in_endpoints
        As in :class:`~oesd_drivers.virtual.node.Node`.
    firmware : Firmware
    clock, wait : callable
        Seconds, monotonic, and how they pass while a read is blocked.
    """

    def __init__(
        self,
        name: str,
        usb_ids: tuple[int, int],
        product: str,
        out_endpoint: int,
        in_endpoints: tuple[tuple[int, int], ...],
        firmware: Firmware,
        clock: Callable[[], float],
        wait: Wait = wait_really,
    ) -> None:
        self.name = name
        self.usb_ids = usb_ids
        self.product = product
        self.out_endpoint = out_endpoint
        self.in_endpoints = in_endpoints
        self.firmware = firmware
        self.faults = FaultQueue(clock)
        self.denied = False
        self.busy_elsewhere = False
        self.resets = 0
        self.node: Node | None = None
        self.condition = threading.Condition()
        self._clock, self._wait = clock, wait
        self._packet_sizes = dict(in_endpoints)
        self._inboxes: dict[int, deque[Answer]] = {endpoint: deque() for endpoint, _ in in_endpoints}
        self._claimed_by: Handle | None = None
        self._unplug_at_s = math.inf

    @property
    def instrument(self) -> Instrument:
        """The optics and settings behind the protocol."""
        return self.firmware.instrument

    @property
    def now_s(self) -> float:
        """Its clock."""
        return self._clock()

    def plug(self, node: Node) -> None:
        """Power the device at a node."""
        with self.condition:
            self.node = node
            self._claimed_by = None
            self._unplug_at_s = math.inf
            self._drop_queued()
            self.firmware.power_on(self._clock())

    def leave_if_due(self) -> None:
        """Go, when a fault has ordered it and nobody has read since."""
        with self.condition:
            if self._clock() >= self._unplug_at_s:
                self._go()

    def unplug(self) -> None:
        """Take the device away; blocked readers wake with ``NO_DEVICE``."""
        with self.condition:
            self._go()

    def open(self, node: Node) -> Handle:
        """Open as the node's user; ``ACCESS`` while permission is denied."""
        with self.condition:
            if self.node is not node:
                raise BusError(Code.NO_DEVICE)
            if self.denied:
                raise BusError(Code.ACCESS)
            return Handle(self, node)

    def close(self, handle: Handle) -> None:
        """Close a handle; a read blocked in it wakes."""
        with self.condition:
            handle.closed = True
            self._unclaim(handle)
            self.condition.notify_all()

    def check(self, handle: Handle) -> None:
        """Raise ``NO_DEVICE`` for a dead handle."""
        if not handle.alive:
            raise BusError(Code.NO_DEVICE)

    def claim(self, handle: Handle) -> None:
        """Claim the interface for one handle."""
        with self.condition:
            self.require_free(handle)
            self._claimed_by = handle

    def release(self, handle: Handle) -> None:
        """Give the claim back."""
        with self.condition:
            self.check(handle)
            self._unclaim(handle)
            self.condition.notify_all()

    def require_free(self, handle: Handle) -> None:
        """Raise ``BUSY`` when another handle, or another program, has the claim."""
        self.check(handle)
        if self.busy_elsewhere or self._claimed_by not in (None, handle):
            raise BusError(Code.BUSY)

    def reset(self, handle: Handle) -> None:
        """Port reset; like the kernel it asks for no claim."""
        with self.condition:
            self.check(handle)
            self.resets += 1
            self._drop_queued(but=lambda answer: answer.survives_reset and answer.ready_s > self._clock())
            self.firmware.usb_reset()
            self.condition.notify_all()

    def write(self, handle: Handle, endpoint: int, data: bytes) -> int:
        """Bulk write to the firmware."""
        with self.condition:
            self.require_free(handle)
            if endpoint != self.out_endpoint:
                raise BusError(Code.NOT_FOUND)
            self._queue(self.firmware.receive(data, self._clock(), self.faults))
            return len(data)

    def fire_trigger(self) -> None:
        """Give an edge on the trigger input."""
        with self.condition:
            self._queue(self.firmware.trigger(self._clock(), self.faults))

    def set_trigger_line(self, high: bool) -> None:
        """Set the level of the trigger input."""
        with self.condition:
            self._queue(self.firmware.trigger_line(high, self._clock(), self.faults))

    def seize(self, within_s: float) -> bool:
        """Hold the device as another program does, once its user has left it; False when nobody left it in time."""
        with self.condition:
            free = self.condition.wait_for(lambda: self._claimed_by is None, within_s)
            self.busy_elsewhere = self.busy_elsewhere or free
            return free

    def read(self, handle: Handle, endpoint: int, size: int, timeout_ms: int) -> bytes:
        """Bulk read with libusb's rules: a short packet ends it, a packet too long overflows, bytes beat a timeout."""
        with self.condition:
            self.require_free(handle)
            if endpoint not in self._inboxes:
                raise BusError(Code.NOT_FOUND)
            deadline_s = self._clock() + timeout_ms / 1e3 if timeout_ms else math.inf
            fault = self.faults.take(Point.READ)
            if fault is not None:
                deadline_s = self._strike(fault, deadline_s)
            return self._collect(handle, endpoint, size, deadline_s, wedged=_is_wedge(fault))

    def _strike(self, fault: Fault, deadline_s: float) -> float:
        if fault.kind is FaultKind.STALL:
            raise BusError(Code.PIPE)
        if fault.kind is FaultKind.OVERFLOW:
            raise BusError(Code.OVERFLOW)
        if fault.kind in (FaultKind.HANG, FaultKind.SEGFAULT):
            raise ClientFault(fault.kind, fault.value)
        if fault.kind is FaultKind.UNPLUG:
            self._unplug_at_s = self._clock() + fault.value
        return math.inf if fault.kind is FaultKind.WEDGE else deadline_s

    def _collect(self, handle: Handle, endpoint: int, size: int, deadline_s: float, *, wedged: bool) -> bytes:
        inbox, got = self._inboxes[endpoint], bytearray()
        while True:
            now_s = self._clock()
            if now_s >= self._unplug_at_s:
                self._go()
            self.check(handle)
            if not wedged and inbox and inbox[0].ready_s <= now_s:
                if self._take(inbox, got, size, self._packet_sizes[endpoint]):
                    return bytes(got)
            elif now_s >= deadline_s:
                return _late(got)
            else:
                ready_s = inbox[0].ready_s if inbox and not wedged else math.inf
                self._wait_until(min(ready_s, deadline_s, self._unplug_at_s), now_s)

    def _take(self, inbox: deque[Answer], got: bytearray, size: int, packet_size: int) -> bool:
        """Move bytes of the first answer into ``got``; True when they end the transfer."""
        answer = inbox[0]
        left, room = len(answer.data) - answer.offset, size - len(got)
        overflows = left > room and room % packet_size > 0
        taken = room - room % packet_size + packet_size if overflows else min(left, room)
        got += memoryview(answer.data)[answer.offset : answer.offset + taken]
        answer.offset += taken
        if answer.offset >= len(answer.data):
            inbox.popleft()
        if overflows:  # the packet that did not fit is lost
            raise BusError(Code.OVERFLOW)
        return len(got) == size or left % packet_size > 0

    def _wait_until(self, moment_s: float, now_s: float) -> None:
        self._wait(self.condition, None if math.isinf(moment_s) else max(moment_s - now_s, 0.0))

    def _queue(self, answers: list[Answer]) -> None:
        for answer in answers:
            if len(self._inboxes[answer.endpoint]) < _FIFO_ANSWERS:
                self._inboxes[answer.endpoint].append(answer)
        if answers:
            self.condition.notify_all()

    def _drop_queued(self, but: Callable[[Answer], bool] = lambda _answer: False) -> None:
        for inbox in self._inboxes.values():
            kept = list(filter(but, inbox))
            inbox.clear()
            inbox.extend(kept)

    def _unclaim(self, handle: Handle) -> None:
        if self._claimed_by is handle:
            self._claimed_by = None

    def _go(self) -> None:
        self.node = None
        self._unplug_at_s = math.inf
        self._drop_queued()
        self.condition.notify_all()


def _is_wedge(fault: Fault | None) -> bool:
    return fault is not None and fault.kind is FaultKind.WEDGE


def _late(got: bytearray) -> bytes:
    """At the deadline libusb gives what came so far, and an error only when nothing did."""
    if got:
        return bytes(got)
    raise BusError(Code.TIMEOUT)
