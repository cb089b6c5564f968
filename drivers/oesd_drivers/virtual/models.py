"""The spectrometer models as data: ids, protocol, optics, detector.

Sources: ids, endpoints, pixels and maxima from seabreeze 2.11 (``pyseabreeze/devices.py``); detector figures are
typical of the makers' data sheets (Sony ILX511B, Toshiba TCD1304, Hamamatsu S7031, ELIS1024), rounded; coefficients and
resolution are those of plausible units, not of measured ones.
"""

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
        c0..c3 in nm, nm/px, ... over the pixel number.
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
        Trigger modes in which a spectrum waits for an edge.
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
    out_endpoint: int = 0x01


@dataclass(frozen=True, slots=True)
class Model:
    """One kind of spectrometer."""

    name: str
    wire: Wire
    bench: Bench
    detector: Detector


_SILICON_CCD = (
    (190, 0.0), (205, 0.10), (250, 0.22), (300, 0.36), (350, 0.52), (400, 0.74), (450, 0.93), (500, 1.0), (550, 0.98),
    (600, 0.92), (650, 0.82), (700, 0.70), (750, 0.58), (800, 0.47), (850, 0.36), (900, 0.26), (950, 0.17),
    (1000, 0.09), (1060, 0.02), (1100, 0.0),
)  # fmt: skip
_BACK_THINNED = (
    (190, 0.0), (210, 0.45), (250, 0.55), (300, 0.55), (350, 0.62), (400, 0.76), (450, 0.87), (500, 0.94), (550, 0.98),
    (600, 1.0), (650, 0.99), (700, 0.96), (750, 0.89), (800, 0.78), (850, 0.64), (900, 0.46), (950, 0.29), (1000, 0.13),
    (1100, 0.0),
)  # fmt: skip
_FRONT_CMOS = (
    (320, 0.0), (350, 0.15), (380, 0.38), (420, 0.66), (460, 0.84), (500, 0.95), (550, 1.0), (600, 0.98), (650, 0.92),
    (700, 0.83), (750, 0.72), (800, 0.60), (850, 0.48), (900, 0.0),
)  # fmt: skip

_HIGH_SPEED = ((0x81, 512), (0x82, 512), (0x86, 512))

_ILX511 = Detector(
    pixels=2048, adc_max=65535, saturation_counts=62_000, offset_counts=1480.0, electrons_per_count=1.0,
    read_noise_e=18.0, dark_e_per_s=260.0, hot_pixels=0.004, dark_pixels=tuple(range(6, 21)),
    nonlinearity=(9.35e-1, 3.9e-6, -4.2e-11, 2.0e-17),
)  # fmt: skip
_TCD1304 = Detector(
    pixels=3840, adc_max=65535, saturation_counts=60_500, offset_counts=2900.0, electrons_per_count=1.6,
    read_noise_e=30.0, dark_e_per_s=420.0, hot_pixels=0.003, dark_pixels=tuple(range(5, 16)),
    nonlinearity=(9.1e-1, 4.4e-6, -4.6e-11, 3.0e-17),
)  # fmt: skip
_USB2000_BENCH = Bench(
    wavelengths=(1.942e2, 4.68e-1, -1.42e-5, -1.1e-9), fwhm_nm=1.2, throughput_e=1.5e6, stray_light=6e-4,
    response=_SILICON_CCD,
)  # fmt: skip

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "USB2000+",
            Wire(0x2457, 0x101E, "ooi", _HIGH_SPEED, ((0x82, 0),), waiting_triggers=(2, 3)),
            _USB2000_BENCH,
            _ILX511,
        ),
        Model(
            "FLAME-S",
            Wire(0x2457, 0x101E, "ooi", _HIGH_SPEED, ((0x82, 0),), fpga=(3, 1, 2), waiting_triggers=(2, 3)),
            _USB2000_BENCH,
            _ILX511,
        ),
        Model(
            "USB4000",
            Wire(0x2457, 0x1022, "ooi", _HIGH_SPEED, ((0x86, 2048), (0x82, 0)), waiting_triggers=(2, 3)),
            Bench((1.785e2, 2.19e-1, -3.1e-6, -2.4e-10), 0.75, 2.6e6, 8e-4, _SILICON_CCD),
            _TCD1304,
        ),
        Model(
            "STS",
            Wire(0x2457, 0x4000, "obp", ((0x81, 64),), ((0x81, 0),), 0x00101100, waiting_triggers=(1, 2)),
            Bench((3.365e2, 4.74e-1, -1.5e-5, 0.0), 1.5, 1.7e6, 1.2e-3, _FRONT_CMOS),
            Detector(
                pixels=1024, adc_max=16383, saturation_counts=16383, offset_counts=1510.0, electrons_per_count=4.5,
                read_noise_e=20.0, dark_e_per_s=900.0, hot_pixels=0.004, dark_pixels=(),
                nonlinearity=(9.7e-1, 5.2e-6, -2.1e-10),
            ),
        ),
        Model(
            "QE-PRO",
            Wire(
                0x2457, 0x4004, "obp", ((0x81, 64),), ((0x81, 0),), 0x00100928, count_bytes=4, metadata_bytes=32,
                waiting_triggers=(2, 3),
            ),
            Bench((1.986e2, 7.92e-1, -3.5e-5, -2.0e-9), 1.6, 2.7e6, 3e-4, _BACK_THINNED),
            Detector(
                pixels=1044, adc_max=262143, saturation_counts=200_000, offset_counts=2510.0, electrons_per_count=1.4,
                read_noise_e=6.0, dark_e_per_s=1500.0, hot_pixels=0.006,
                dark_pixels=(0, 1, 2, 3, 1040, 1041, 1042, 1043), nonlinearity=(9.82e-1, 2.6e-7, -9.0e-13), cooled=True,
            ),
        ),
        Model(
            "SR4",
            Wire(0x0999, 0x1002, "obp2", ((0x81, 512),), ((0x81, 0),), 0x01C00, metadata_bytes=32),
            Bench((1.885e2, 2.63e-1, -4.6e-6, -1.9e-10), 0.85, 2.5e6, 5e-4, _SILICON_CCD),
            Detector(
                pixels=3648, adc_max=65535, saturation_counts=65535, offset_counts=1980.0, electrons_per_count=1.5,
                read_noise_e=22.0, dark_e_per_s=380.0, hot_pixels=0.003, dark_pixels=(),
                nonlinearity=(9.5e-1, 2.9e-6, -2.9e-11),
            ),
        ),
    )
}  # fmt: skip
