"""What a spectrometer model is: protocol on the wire, optical bench, detector."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detector:
    """The detector and its electronics.

    Attributes
    ----------
    pixels : int
    adc_max : int
        Highest count.
    saturation_counts : int
        Count at which a pixel is full; above it the detector blooms up to one per cent more.
    offset_counts : float
        ADC offset: what no light and no time give.
    electrons_per_count, read_noise_e : float
    dark_e_per_s : float
        Mean dark current of a pixel at 20 degrees; doubles every 7 K.
    hot_pixels : float
        Fraction of pixels with a dark current tens of times the mean.
    dark_pixels : tuple of int
        Pixels behind a mask.
    nonlinearity : tuple of float
        c0, c1, ... with ``linear = counts / (c0 + c1 counts + ...)``, counts above the offset.
    cooled : bool
        Has a thermoelectric cooler.
    """

    pixels: int
    adc_max: int
    saturation_counts: int
    offset_counts: float
    electrons_per_count: float
    read_noise_e: float
    dark_e_per_s: float
    hot_pixels: float
    dark_pixels: tuple[int, ...]
    nonlinearity: tuple[float, ...]
    cooled: bool = False


@dataclass(frozen=True, slots=True)
class Bench:
    """The optical bench.

    Attributes
    ----------
    wavelengths : tuple of float
        c0..c3 in nm, nm/px, ... over the pixel number, which begins at ``first_index``.
    fwhm_nm : float
        Of the line spread function.
    throughput_e : float
        Electrons per photon of the scene's unit at response 1.
    stray_light : float
        Fraction of all light that spreads over the detector.
    response : tuple of (nm, relative)
        Grating, fibre and quantum efficiency together; zero beyond the ends.
    """

    wavelengths: tuple[float, ...]
    fwhm_nm: float
    throughput_e: float
    stray_light: float
    response: tuple[tuple[float, float], ...]
    first_index: int = 0


@dataclass(frozen=True, slots=True)
class Wire:
    """USB ids, endpoints and what differs within one protocol.

    Attributes
    ----------
    protocol : str
        ``"ooi"``, ``"obp"`` or ``"obp2"``.
    spectrum_parts : tuple of (endpoint, bytes)
        How a spectrum leaves: so many bytes by that endpoint, the last part takes the rest.
    spectrum_message : int
        OBP message type of the raw spectrum.
    count_bytes, metadata_bytes : int
        Size of one pixel, and of what stands before the pixels.
    fpga : tuple of int
        Major, minor, patch of the FPGA firmware (OOI); major 3 and more is a FLAME.
    waiting_triggers : tuple of int
        Trigger modes in which a spectrum waits for the trigger input: for an edge that begins it, unless they are
        among the next two.
    level_triggers, clock_triggers : tuple of int
        Modes in which frames follow each other while the input is high, and in which each edge ends one frame and
        begins the next.
    step_us, step_bytes : int
        Unit of an integration time on the wire, and how many of its bytes the device looks at.
    padding_words : int
        Words after the pixels that belong to none.
    flip : int
        Counts are XORed with this.
    interleaved : bool
        Counts go in blocks of 64 low, then 64 high bytes.
    stray_bits : int
        What unconnected lines of the ADC read.
    sync : bool
        A byte 0x69 ends an OOI spectrum.
    saturation_slot : str
        How the saturation level lies in EEPROM slot 17, as for :mod:`struct`; empty where it is not there.
    unanswered : frozenset of int
        Commands or messages that other models of the protocol know and this one does not.
    """

    vendor_id: int
    product_id: int
    protocol: str
    in_endpoints: tuple[tuple[int, int], ...]
    spectrum_parts: tuple[tuple[int, int], ...]
    spectrum_message: int = 0
    count_bytes: int = 2
    metadata_bytes: int = 0
    fpga: tuple[int, int, int] = (2, 10, 4)
    waiting_triggers: tuple[int, ...] = ()
    level_triggers: tuple[int, ...] = ()
    clock_triggers: tuple[int, ...] = ()
    out_endpoint: int = 0x01
    step_us: int = 1
    step_bytes: int = 4
    padding_words: int = 0
    flip: int = 0
    interleaved: bool = False
    stray_bits: int = 0
    sync: bool = True
    saturation_slot: str = "<4xH"
    unanswered: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Model:
    """One kind of spectrometer."""

    name: str
    wire: Wire
    bench: Bench
    detector: Detector
