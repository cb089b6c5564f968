"""What each model can do, as data: the driver asks this table and never ``if model``.

Keys are pyseabreeze's model names. Pixels, limits, trigger codes and dark pixels are those of pyseabreeze 2.11
(``pyseabreeze/devices.py``), but for what the maker's own library, libseabreeze, and the data sheets know better:

- it hands out words that belong to no pixel (``padding``; SpectraSuite files of a USB4000 have 3648 pixels, not 3840);
- it nests the dark pixels of USB4000 and NIRQuest in a second tuple, for the NIRQuest an empty one: a mean of nothing;
- USB2000, HR2000 and USB650 count milliseconds in 16 bits: of 100 s they would silently make 34.464 s;
- it knows no cooler but the NIRQuest512's, no non-linearity but that of four models, and takes a QE-PRO's full scale
  for its saturation, which lies at 200,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .frames import Layout
from .spectrometer import Trigger

#: Where a calibration is kept: text in EEPROM slots (OOI), messages of their own (OBP), nowhere.
Source = Literal["eeprom", "message", "none"]

_OOI = Layout(sync=True)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model is and can do.

    Attributes
    ----------
    name : str
        On its case.
    pixels : int
        Of the detector; as many words come first in a spectrum.
    full_scale : int
        Largest count of the ADC.
    shortest_us, beyond_us, step_us : int
        Integration times: the shortest, the first that is too long, and the unit the device counts them in.
    triggers : mapping of Trigger to code
    layout : Layout
    padding : int
        Words that follow the pixels of a spectrum and mean nothing.
    first_part : int
        Bytes of a spectrum that come first, by a second endpoint; 0 for none.
    dark_pixels : tuple of int
        Optically black, by flat index.
    first_index : int
        Index of the first pixel in the wavelength polynomial.
    spectrum_message : int
        OBP message number of a raw spectrum.
    clear_message : int
        OBP message that empties the device's own buffer of spectra, from which it hands out the oldest; 0 for none.
    nonlinearity, saturation : Source
        Where the coefficients, and the count of a full pixel, are kept.
    usual_saturation : int
        Count of a full pixel where the unit does not tell it; 0 for full scale.
    cooled : bool
        Has a thermoelectric cooler, a detector thermometer and a set-point.
    tells_board_temperature : bool
        Its data sheet names the command, and its answer cannot be mixed up with a spectrum.
    tells_status : bool
        Its data sheet gives the integration time in us, and the trigger mode, in the status answer (OOI).
    """

    name: str
    pixels: int
    full_scale: int
    shortest_us: int
    beyond_us: int
    triggers: Mapping[Trigger, int]
    step_us: int = 1
    layout: Layout = _OOI
    padding: int = 0
    first_part: int = 0
    dark_pixels: tuple[int, ...] = ()
    first_index: int = 0
    spectrum_message: int = 0
    clear_message: int = 0
    nonlinearity: Source = "eeprom"
    saturation: Source = "none"
    usual_saturation: int = 0
    cooled: bool = False
    tells_board_temperature: bool = False
    tells_status: bool = False

    @property
    def words(self) -> int:
        """Words of a spectrum as it is sent."""
        return self.pixels + self.padding

    @property
    def first_us(self) -> int:
        """Shortest integration time that is a whole number of steps."""
        return -(-self.shortest_us // self.step_us) * self.step_us

    @property
    def last_us(self) -> int:
        """Longest integration time that is taken: pyseabreeze rejects its own maximum."""
        return (self.beyond_us - 1) // self.step_us * self.step_us

    def nearest_us(self, integration_us: int) -> int:
        """Nearest integration time the device can take: pyseabreeze would cut 3500 us to 3 ms without a word."""
        steps = (integration_us + self.step_us // 2) // self.step_us
        return min(self.last_us, max(self.first_us, steps * self.step_us))


_OOI_TRIGGERS = {Trigger.FREE: 0, Trigger.SOFTWARE: 1, Trigger.SYNCHRONOUS: 2, Trigger.EDGE: 3}
_OLD_TRIGGERS = {Trigger.FREE: 0, Trigger.SOFTWARE: 1, Trigger.EDGE: 3}
_PLUS_TRIGGERS = {**_OOI_TRIGGERS, Trigger.SINGLE: 4}
_STS_TRIGGERS = {Trigger.FREE: 0, Trigger.EXTERNAL: 1, Trigger.INTERNAL: 2}
_PRO_TRIGGERS = {Trigger.FREE: 0, Trigger.LEVEL: 1, Trigger.SYNCHRONOUS: 2, Trigger.EDGE: 3}
_HDX_TRIGGERS = {Trigger.FREE: 0, Trigger.EDGE: 1, Trigger.LEVEL: 3, Trigger.NEVER: 255}
_FREE_ONLY = {Trigger.FREE: 0}

_INTERLEAVED = Layout(sync=True, interleaved=True)
_TWELVE_BIT = replace(_INTERLEAVED, mask=0x0FFF)
_FLIP_13, _FLIP_15 = Layout(sync=True, flip=0x2000), Layout(sync=True, flip=0x8000)
_PLAIN, _AFTER_METADATA = Layout(), Layout(skip=32)

_MASKED_24 = tuple(range(2, 24))
_BOTH_ENDS_1044 = (0, 1, 2, 3, 1040, 1041, 1042, 1043)
_BOTH_ENDS_2068 = (0, 1, 2, 3, 2064, 2065, 2066, 2067)
_BOTH_ENDS_2080 = (*range(8), *range(2072, 2080))
_LONG_US = 1_600_000_000

_USB2000 = Capabilities(
    "USB2000", 2048, 4095, 3000, 65_536_000, _OLD_TRIGGERS, step_us=1000, layout=_TWELVE_BIT, dark_pixels=_MASKED_24
)
_USB2000_PLUS = Capabilities(
    "USB2000+", 2048, 65535, 1000, 655_350_000, _PLUS_TRIGGERS, dark_pixels=tuple(range(6, 21)), saturation="eeprom",
    tells_board_temperature=True, tells_status=True,
)  # fmt: skip
_USB4000 = Capabilities(
    "USB4000", 3648, 65535, 10, 65_535_000, _OOI_TRIGGERS, padding=192, first_part=2048,
    dark_pixels=tuple(range(5, 16)), saturation="eeprom", tells_board_temperature=True, tells_status=True,
)  # fmt: skip
_NIRQUEST512 = Capabilities(
    "NIRQuest512", 512, 65535, 1000, _LONG_US, _OOI_TRIGGERS, step_us=1000, layout=_FLIP_15, saturation="eeprom",
    cooled=True,
)  # fmt: skip
_MAYA2000_PRO = Capabilities(
    "Maya2000 Pro", 2068, 64000, 7200, 65_000_000, _OOI_TRIGGERS, padding=236, dark_pixels=_BOTH_ENDS_2068,
    saturation="eeprom", tells_board_temperature=True, tells_status=True,
)  # fmt: skip
_STS = Capabilities(
    "STS", 1024, 16383, 10, 85_000_000, _STS_TRIGGERS, layout=_PLAIN, spectrum_message=0x00101100,
    nonlinearity="message", saturation="message", tells_board_temperature=True,
)  # fmt: skip
_SR4 = Capabilities(
    "SR4", 3648, 65535, 3800, 10_000_000, _FREE_ONLY, layout=_AFTER_METADATA, spectrum_message=0x01C00,
    nonlinearity="message", saturation="message",
)  # fmt: skip
_SR6 = replace(_SR4, name="SR6", pixels=2048, shortest_us=7200, beyond_us=5_000_000)
_HR2 = replace(_SR4, name="HR2", pixels=2110, shortest_us=1, beyond_us=2_000_000)

CAPABILITIES: dict[str, Capabilities] = {
    "USB2000": _USB2000,
    "HR2000": replace(_USB2000, name="HR2000"),
    "USB650": replace(_USB2000, name="USB650", dark_pixels=()),
    "ADC1000-USB": Capabilities(
        "ADC1000-USB", 2048, 65535, 5000, 65_535_000, _OOI_TRIGGERS, step_us=1000, layout=_INTERLEAVED,
        dark_pixels=_MASKED_24, nonlinearity="none",
    ),
    "HR2000PLUS": Capabilities(
        "HR2000+", 2048, 16383, 1000, 655_350_000, _OOI_TRIGGERS, layout=_FLIP_13, dark_pixels=_MASKED_24,
        tells_board_temperature=True, tells_status=True,
    ),
    "HR4000": Capabilities(
        "HR4000", 3648, 16383, 10, 655_350_000, _OOI_TRIGGERS, layout=_FLIP_13, padding=192, first_part=2048,
        dark_pixels=tuple(range(2, 13)), tells_board_temperature=True, tells_status=True,
    ),
    "QE65000": Capabilities(
        "QE65000", 1044, 65535, 8000, _LONG_US, _OLD_TRIGGERS, step_us=1000, layout=_FLIP_15, padding=236,
        dark_pixels=_BOTH_ENDS_1044, first_index=-10, cooled=True, tells_board_temperature=True,
    ),
    "USB2000PLUS": _USB2000_PLUS,
    "FLAMES": replace(_USB2000_PLUS, name="Flame-S"),
    "USB4000": _USB4000,
    "NIRQUEST512": _NIRQUEST512,
    "NIRQUEST256": replace(_NIRQUEST512, name="NIRQuest256", pixels=256),
    "MAYA2000PRO": _MAYA2000_PRO,
    "MAYA2000": Capabilities(
        "Maya2000", 2080, 65535, 15000, _LONG_US, _OLD_TRIGGERS, padding=224, dark_pixels=_BOTH_ENDS_2080
    ),
    "MAYALSL": replace(_MAYA2000_PRO, name="MayaLSL", tells_board_temperature=False, tells_status=False),
    "APEX": replace(
        _MAYA2000_PRO, name="Apex", shortest_us=15000, beyond_us=_LONG_US, triggers=_FREE_ONLY,
        tells_board_temperature=False,
    ),
    "TORUS": replace(_USB2000_PLUS, name="Torus", triggers=_OOI_TRIGGERS, dark_pixels=()),
    "JAZ": Capabilities(
        "Jaz", 2048, 65535, 1000, 655_350_000, _OOI_TRIGGERS, layout=_PLAIN, dark_pixels=_MASKED_24, saturation="eeprom"
    ),
    "STS": _STS,
    # pyseabreeze notes that the Spark breaks the transfer off when asked for its coefficients.
    "SPARK": replace(_STS, name="Spark", nonlinearity="none", tells_board_temperature=False),
    "VENTANA": replace(
        _STS, name="Ventana", full_scale=65535, shortest_us=22000, beyond_us=60_000_000, triggers=_PRO_TRIGGERS,
        tells_board_temperature=False,
    ),
    "QEPRO": replace(
        _STS, name="QE-PRO", pixels=1044, full_scale=262143, shortest_us=8000, beyond_us=_LONG_US, cooled=True,
        triggers=_PRO_TRIGGERS, layout=Layout(skip=32, width=4, bits=18), spectrum_message=0x00100928,
        clear_message=0x00100830, usual_saturation=200_000,
        dark_pixels=_BOTH_ENDS_1044, tells_board_temperature=False,
    ),
    "HDX": replace(
        _STS, name="HDX", pixels=2068, full_scale=65535, shortest_us=6000, beyond_us=10_000_000,
        triggers=_HDX_TRIGGERS, spectrum_message=0x00101000, tells_board_temperature=False,
    ),
    "ST": replace(
        _SR4, name="ST", pixels=1516, full_scale=16383, shortest_us=1560, beyond_us=6_000_000, step_us=10,
        triggers=_OLD_TRIGGERS, dark_pixels=tuple(range(1503, 1516)),
    ),
    "SR2": replace(_HR2, name="SR2", dark_pixels=tuple(range(24))),
    "SR4": _SR4,
    "SR6": _SR6,
    "HR2": _HR2,
    "HR4": replace(_SR4, name="HR4"),
    "HR6": replace(_SR6, name="HR6"),
}  # fmt: skip
