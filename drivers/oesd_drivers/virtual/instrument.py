"""A spectrometer without its protocol: settings, shutter, temperatures, and the frames it takes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .clock import FrameClock
from .exposed import Exposed
from .made import FrameLog
from .model import Model
from .optics import Optics
from .scene import Light, Thermal
from .triggering import TriggerInput

#: What hangs on the lamp-enable line: the lamp, a shutter that it closes, nothing.
LampLine = Literal["lamp", "closes", "nothing"]

_POWER_ON_S = 0.1
_COOLING_S = 20.0
_COLDEST_C, _WARMEST_C = -40.0, 50.0
_MOST_SCANS, _WIDEST_BOXCAR = 5000, 15
_LAMP = Thermal("lamp", 2960.0, 0.4)


class Instrument:
    """One unit under a light.

    Parameters
    ----------
    model : Model
    serial : str
    light : Light
    seed : int

    Attributes
    ----------
    shutter_closed : bool
        Blocks the scene, not the lamp; taken as it stands when a frame is asked for.
    board_temperature_c : float
        Also the detector's, where it is not cooled.
    lamp_on : bool
        The lamp enable line; a small halogen lamp hangs on it, between shutter and slit.
    lamp_line : str
        What the line moves instead of the lamp, see :data:`LampLine`.
    scans, boxcar : int
        Averaging and smoothing on board, where the protocol or another program set them.
    binning : int
        Two to the power of so many neighbours are sent as one pixel, their mean.
    made : FrameLog
        The truth about the frames.
    """

    def __init__(self, model: Model, serial: str, light: Light, seed: int) -> None:
        self.model = model
        self.serial = serial
        self.optics = Optics(model, serial, seed)
        self.shutter_closed = False
        self.lamp_on = False
        self.lamp_line: LampLine = "lamp"
        self.board_temperature_c = 24.0
        self.triggers = TriggerInput(model.wire)
        self.scans, self.boxcar, self.binning = 1, 0, 0
        self.frames = 0
        self.made = FrameLog()
        self.cooler_on = False
        self.setpoint_c = -10.0
        self._cooled_c, self._cooled_at_s = self.setpoint_c, 0.0
        self._light = light
        self._rates = self._rates_per_emitter()
        self._lamp_rate = self.optics.rates(_LAMP)
        self._clock = FrameClock(_POWER_ON_S, 0.0)

    @property
    def integration_s(self) -> float:
        """Of the frame running now."""
        return self._clock.integration_s

    @property
    def ordered_integration_s(self) -> float:
        """What was ordered last, for frames to come."""
        return self._clock.ordered_s

    def power_on(self, now_s: float) -> None:
        """Settings after plugging in. A cooled detector comes up cold, so that frames depend on the seed alone."""
        self.triggers.power_on()
        self.scans, self.boxcar, self.binning = 1, 0, 0
        self.lamp_on, self.cooler_on = False, self.model.detector.cooled
        self._cooled_c, self._cooled_at_s = self.setpoint_c, now_s
        self._clock = FrameClock(_POWER_ON_S, now_s)

    def set_integration(self, integration_us: int, now_s: float) -> None:
        """Order an integration time; the running frame still has the old one."""
        self._clock.set(max(integration_us, 1) / 1e6, now_s)

    def set_averaging(self, *, scans: int | None = None, boxcar: int | None = None) -> None:
        """Average and smooth on board, within what the firmware takes."""
        if scans is not None:
            self.scans = min(max(scans, 1), _MOST_SCANS)
        if boxcar is not None:
            self.boxcar = min(max(boxcar, 0), _WIDEST_BOXCAR)

    def request(self, now_s: float) -> Exposed | None:
        """Return the running frame; None when it has to wait for a trigger."""
        if self.triggers.holds(now_s):
            return None
        ready_s, integration_s = self._clock.request(now_s)
        began_s, more_s = ready_s - integration_s, (self.scans - 1) * integration_s
        return self._expose(now_s, began_s, ready_s + more_s, integration_s)

    def fire(self, now_s: float) -> Exposed | None:
        """Give an edge on the trigger input: the frame it begins or ends, None when none waits for it."""
        served = self.triggers.edge(now_s)
        if served is None:
            return None
        asked_s, began_s = served
        if began_s is not None:
            return self._expose(asked_s, began_s, now_s, now_s - began_s)
        integration_s = self.ordered_integration_s
        return self._expose(asked_s, now_s, now_s + self.scans * integration_s, integration_s)

    def trigger_level(self, high: bool, now_s: float) -> list[Exposed]:
        """Set the trigger input's level; the frames that this begins."""
        fired = [self.fire(now_s) for _ in range(self.triggers.set_level(high))]
        return [exposed for exposed in fired if exposed is not None]

    def detector_temperature_c(self, now_s: float) -> float:
        """Return the detector's temperature: on its way to the setpoint where a cooler runs."""
        if not self.model.detector.cooled:
            return self.board_temperature_c
        goal_c = self.setpoint_c if self.cooler_on else self.board_temperature_c
        left = math.exp(-(now_s - self._cooled_at_s) / _COOLING_S)
        self._cooled_c, self._cooled_at_s = goal_c + (self._cooled_c - goal_c) * left, now_s
        return self._cooled_c

    def cool(self, now_s: float, *, on: bool | None = None, setpoint_c: float | None = None) -> None:
        """Switch the cooler, or give it another goal within its reach."""
        self.detector_temperature_c(now_s)  # settles the way so far before the goal changes
        if on is not None:
            self.cooler_on = on
        if setpoint_c is not None:
            self.setpoint_c = min(_WARMEST_C, max(_COLDEST_C, setpoint_c))

    def _expose(self, asked_s: float, began_s: float, ready_s: float, integration_s: float) -> Exposed:
        index, self.frames = self.frames, self.frames + 1
        temperature_c = self.detector_temperature_c(asked_s)
        counts = self.optics.frame(self._rate(), integration_s, temperature_c, index, scans=self.scans)
        if self.boxcar:
            counts = _smoothed(counts, self.boxcar)
        return Exposed(counts, asked_s, began_s, ready_s, integration_s, index, self.scans, self.boxcar)

    def _rate(self) -> NDArray[np.float64]:
        dark = np.zeros(self.model.detector.pixels)
        closed = self.shutter_closed or (self.lamp_on and self.lamp_line == "closes")
        scene = dark if closed else self._light.levels() @ self._rates
        lit = self.lamp_on and self.lamp_line == "lamp"
        return np.asarray(scene + self._lamp_rate if lit else scene, dtype=np.float64)

    def _rates_per_emitter(self) -> NDArray[np.float64]:
        rates = [self.optics.rates(emitter) for emitter in self._light.scene.emitters]
        return np.array(rates, dtype=np.float64).reshape(len(rates), self.model.detector.pixels)


def _smoothed(counts: NDArray[np.float64], half_width: int) -> NDArray[np.float64]:
    """Mean over a window that shrinks at the ends, in whole counts."""
    window = np.ones(2 * half_width + 1)
    sums = np.convolve(counts, window, mode="same")
    return np.rint(sums / np.convolve(np.ones_like(counts), window, mode="same"))
