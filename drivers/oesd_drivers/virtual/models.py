"""The spectrometer models as data: ids, protocol, optics, detector.

Sources: ids, endpoints, words and maxima from seabreeze 2.11 (``pyseabreeze/devices.py``), how many of the words are
pixels from libseabreeze; detector figures are typical of the makers' data sheets (Sony ILX511B, Toshiba TCD1304,
Hamamatsu S7031, S10420 and G9204, ELIS1024), rounded; coefficients and resolution are those of plausible units, not of
measured ones.
"""

from __future__ import annotations

from dataclasses import replace

from .model import Bench, Detector, Model, Wire

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

_IN_GA_AS = (
    (850, 0.0), (900, 0.35), (950, 0.62), (1000, 0.75), (1100, 0.84), (1200, 0.91), (1300, 0.96), (1400, 0.99),
    (1500, 1.0), (1600, 0.97), (1650, 0.80), (1700, 0.30), (1750, 0.0),
)  # fmt: skip

_BOTH_ENDS_1044 = (0, 1, 2, 3, 1040, 1041, 1042, 1043)
_BOTH_ENDS_2068 = (0, 1, 2, 3, 2064, 2065, 2066, 2067)

_ILX511 = Detector(
    pixels=2048, adc_max=65535, saturation_counts=62_000, offset_counts=1480.0, electrons_per_count=1.0,
    read_noise_e=18.0, dark_e_per_s=260.0, hot_pixels=0.004, dark_pixels=tuple(range(6, 21)),
    nonlinearity=(9.35e-1, 3.9e-6, -4.2e-11, 2.0e-17),
)  # fmt: skip
_ILX511_12_BIT = replace(
    _ILX511, adc_max=4095, saturation_counts=4095, offset_counts=110.0, electrons_per_count=15.0,
    dark_pixels=tuple(range(2, 24)), nonlinearity=(9.35e-1, 6.2e-5, -1.1e-8),
)  # fmt: skip
_ILX511_14_BIT = replace(
    _ILX511, adc_max=16383, saturation_counts=16383, offset_counts=370.0, electrons_per_count=4.0,
    dark_pixels=tuple(range(2, 24)), nonlinearity=(9.35e-1, 1.55e-5, -6.7e-10),
)  # fmt: skip
_TCD1304 = Detector(
    pixels=3648, adc_max=65535, saturation_counts=60_500, offset_counts=2900.0, electrons_per_count=1.6,
    read_noise_e=30.0, dark_e_per_s=420.0, hot_pixels=0.003, dark_pixels=tuple(range(5, 16)),
    nonlinearity=(9.1e-1, 4.4e-6, -4.6e-11, 3.0e-17),
)  # fmt: skip
_TCD1304_14_BIT = replace(
    _TCD1304, adc_max=16383, saturation_counts=16383, offset_counts=720.0, electrons_per_count=6.0,
    dark_pixels=tuple(range(2, 13)), nonlinearity=(9.1e-1, 1.75e-5, -7.3e-10),
)  # fmt: skip
_S7031 = Detector(
    pixels=1044, adc_max=262143, saturation_counts=200_000, offset_counts=2510.0, electrons_per_count=1.4,
    read_noise_e=6.0, dark_e_per_s=1500.0, hot_pixels=0.006, dark_pixels=_BOTH_ENDS_1044,
    nonlinearity=(9.82e-1, 2.6e-7, -9.0e-13), cooled=True,
)  # fmt: skip
_S10420 = Detector(
    pixels=2068, adc_max=64000, saturation_counts=62_300, offset_counts=2050.0, electrons_per_count=3.0,
    read_noise_e=24.0, dark_e_per_s=900.0, hot_pixels=0.005, dark_pixels=_BOTH_ENDS_2068,
    nonlinearity=(9.7e-1, 1.9e-6, -2.0e-11),
)  # fmt: skip
_ELIS1024 = Detector(
    pixels=1024, adc_max=16383, saturation_counts=16383, offset_counts=1510.0, electrons_per_count=4.5,
    read_noise_e=20.0, dark_e_per_s=900.0, hot_pixels=0.004, dark_pixels=(), nonlinearity=(9.7e-1, 5.2e-6, -2.1e-10),
)  # fmt: skip
_G9204 = Detector(
    pixels=512, adc_max=65535, saturation_counts=61_200, offset_counts=4100.0, electrons_per_count=8.0,
    read_noise_e=60.0, dark_e_per_s=40_000.0, hot_pixels=0.01, dark_pixels=(), nonlinearity=(9.6e-1, 2.2e-6, -2.3e-11),
    cooled=True,
)  # fmt: skip
_SR4_DETECTOR = Detector(
    pixels=3648, adc_max=65535, saturation_counts=65535, offset_counts=1980.0, electrons_per_count=1.5,
    read_noise_e=22.0, dark_e_per_s=380.0, hot_pixels=0.003, dark_pixels=(), nonlinearity=(9.5e-1, 2.9e-6, -2.9e-11),
)  # fmt: skip

_USB2000_BENCH = Bench((1.942e2, 4.68e-1, -1.42e-5, -1.1e-9), 1.2, 1.5e6, 6e-4, _SILICON_CCD)
_USB4000_BENCH = Bench((1.785e2, 2.19e-1, -3.1e-6, -2.4e-10), 0.75, 2.6e6, 8e-4, _SILICON_CCD)
_USB650_BENCH = Bench((3.42e2, 2.95e-1, -1.1e-5, -6.0e-10), 2.0, 2.2e6, 1.5e-3, _FRONT_CMOS)
_STS_BENCH = Bench((3.365e2, 4.74e-1, -1.5e-5, 0.0), 1.5, 1.7e6, 1.2e-3, _FRONT_CMOS)
_QE_BENCH = Bench((1.986e2, 7.92e-1, -3.5e-5, -2.0e-9), 1.6, 2.7e6, 3e-4, _BACK_THINNED)
_MAYA_BENCH = Bench((1.978e2, 4.62e-1, -1.3e-5, -1.0e-9), 1.0, 3.0e6, 4e-4, _BACK_THINNED)
_VENTANA_BENCH = Bench((7.9e2, 3.1e-1, -1.2e-5, 0.0), 0.9, 3.0e6, 5e-4, _BACK_THINNED)
_APEX_BENCH = Bench((7.85e2, 1.62e-1, -5.0e-6, 0.0), 0.6, 3.0e6, 5e-4, _BACK_THINNED)
_SR4_BENCH = Bench((1.885e2, 2.63e-1, -4.6e-6, -1.9e-10), 0.85, 2.5e6, 5e-4, _SILICON_CCD)
_SR2_BENCH = Bench((1.89e2, 4.53e-1, -1.4e-5, -9.0e-10), 1.1, 1.6e6, 6e-4, _SILICON_CCD)
_SR6_BENCH = Bench((1.91e2, 4.66e-1, -1.4e-5, -1.0e-9), 1.2, 2.8e6, 3e-4, _BACK_THINNED)
_ST_BENCH = Bench((3.4e2, 3.42e-1, -1.5e-5, 0.0), 2.2, 1.4e6, 2e-3, _FRONT_CMOS)

_HIGH_SPEED = ((0x81, 512), (0x82, 512), (0x86, 512))
_PLUS_WIRE = Wire(0x2457, 0x101E, "ooi", _HIGH_SPEED, ((0x82, 0),), waiting_triggers=(2, 3), clock_triggers=(2,))
_SINGLE_SHOT_WIRE = replace(_PLUS_WIRE, waiting_triggers=(2, 3, 4))
_SPLIT_WIRE = replace(_PLUS_WIRE, product_id=0x1022, spectrum_parts=((0x86, 2048), (0x82, 0)), padding_words=192)
_OLD_WIRE = Wire(
    0x2457, 0x1002, "ooi", ((0x87, 64), (0x82, 64)), ((0x82, 0),), waiting_triggers=(3,), out_endpoint=0x02,
    step_us=1000, step_bytes=2, interleaved=True, stray_bits=0xA000, saturation_slot="",
    unanswered=frozenset((0x6A, 0x6B, 0x6C, 0xFE)),
)  # fmt: skip
_NIRQUEST_WIRE = replace(
    _PLUS_WIRE, product_id=0x1026, step_us=1000, flip=0x8000, saturation_slot="<4xL", unanswered=frozenset((0x6C,))
)
_MAYA_WIRE = replace(_PLUS_WIRE, product_id=0x102A, padding_words=236, saturation_slot="<H")
_STS_WIRE = Wire(0x2457, 0x4000, "obp", ((0x81, 64),), ((0x81, 0),), 0x00101100, waiting_triggers=(1,))
_SR4_WIRE = Wire(0x0999, 0x1002, "obp2", ((0x81, 512),), ((0x81, 0),), 0x01C00, metadata_bytes=32)
_NO_BOARD = frozenset((0x00400001,))

_OOI = (
    Model("USB2000+", _SINGLE_SHOT_WIRE, _USB2000_BENCH, _ILX511),
    Model("FLAME-S", replace(_SINGLE_SHOT_WIRE, fpga=(3, 1, 2)), _USB2000_BENCH, _ILX511),
    Model("USB4000", _SPLIT_WIRE, _USB4000_BENCH, _TCD1304),
    Model("USB2000", _OLD_WIRE, _USB2000_BENCH, _ILX511_12_BIT),
    Model("HR2000", replace(_OLD_WIRE, product_id=0x100A), _USB2000_BENCH, _ILX511_12_BIT),
    Model("USB650", replace(_OLD_WIRE, product_id=0x1014), _USB650_BENCH, replace(_ILX511_12_BIT, dark_pixels=())),
    Model(
        "ADC1000-USB",
        replace(_OLD_WIRE, product_id=0x1004, waiting_triggers=(2, 3), clock_triggers=(2,), stray_bits=0),
        _USB2000_BENCH,
        replace(_ILX511, saturation_counts=65535, dark_pixels=tuple(range(2, 24)), nonlinearity=(1.0,)),
    ),
    Model(
        "HR2000+",
        replace(_PLUS_WIRE, product_id=0x1016, flip=0x2000, saturation_slot=""),
        _USB2000_BENCH, _ILX511_14_BIT,
    ),
    Model(
        "HR4000",
        replace(_SPLIT_WIRE, product_id=0x1012, flip=0x2000, saturation_slot=""),
        _USB4000_BENCH, _TCD1304_14_BIT,
    ),
    Model(
        "QE65000",
        replace(_PLUS_WIRE, product_id=0x1018, step_us=1000, flip=0x8000, padding_words=236, waiting_triggers=(3,),
                saturation_slot=""),
        replace(_QE_BENCH, first_index=-10),
        replace(_S7031, adc_max=65535, saturation_counts=65535, electrons_per_count=4.5,
                nonlinearity=(9.8e-1, 9.0e-7, -1.0e-11)),
    ),
    Model(
        "NIRQuest512", _NIRQUEST_WIRE, Bench((8.98e2, 1.62, -6.5e-5, 0.0), 5.0, 1.1e6, 1e-3, _IN_GA_AS), _G9204
    ),
    Model(
        "NIRQuest256", replace(_NIRQUEST_WIRE, product_id=0x1028),
        Bench((8.98e2, 3.24, -2.6e-4, 0.0), 9.5, 5.0e5, 1e-3, _IN_GA_AS), replace(_G9204, pixels=256),
    ),
    Model("Maya2000 Pro", _MAYA_WIRE, _MAYA_BENCH, _S10420),
    Model(
        "Maya2000",
        replace(_MAYA_WIRE, product_id=0x102C, padding_words=224, waiting_triggers=(3,), unanswered=frozenset((0x6C,)),
                saturation_slot=""),
        _MAYA_BENCH,
        replace(_S10420, pixels=2080, adc_max=65535, saturation_counts=65535,
                dark_pixels=(*range(8), *range(2072, 2080))),
    ),
    Model("MayaLSL", replace(_MAYA_WIRE, product_id=0x1046), _MAYA_BENCH, _S10420),
    Model("Apex", replace(_MAYA_WIRE, product_id=0x1044, waiting_triggers=()), _APEX_BENCH, _S10420),
    Model("Torus", replace(_PLUS_WIRE, product_id=0x1040), _USB2000_BENCH, replace(_ILX511, dark_pixels=())),
    Model(
        "Jaz", replace(_PLUS_WIRE, product_id=0x2000, in_endpoints=_HIGH_SPEED[:2], sync=False), _USB2000_BENCH,
        replace(_ILX511, dark_pixels=tuple(range(2, 24))),
    ),
)  # fmt: skip
_OBP = (
    Model("STS", _STS_WIRE, _STS_BENCH, _ELIS1024),
    Model(
        "Spark", replace(_STS_WIRE, product_id=0x4200, unanswered=_NO_BOARD | {0x00181100, 0x00181101}), _STS_BENCH,
        replace(_ELIS1024, nonlinearity=(1.0,)),
    ),
    Model(
        "Ventana",
        replace(_STS_WIRE, product_id=0x5000, in_endpoints=((0x82, 64),), spectrum_parts=((0x82, 0),),
                waiting_triggers=(1, 2, 3), level_triggers=(1,), clock_triggers=(2,), unanswered=_NO_BOARD),
        _VENTANA_BENCH,
        replace(_S10420, pixels=1024, adc_max=65535, saturation_counts=65535, dark_pixels=()),
    ),
    Model(
        "QE-PRO",
        replace(_STS_WIRE, product_id=0x4004, spectrum_message=0x00100928, count_bytes=4, metadata_bytes=32,
                waiting_triggers=(1, 2, 3), level_triggers=(1,), clock_triggers=(2,), unanswered=_NO_BOARD),
        _QE_BENCH, _S7031,
    ),
    Model(
        "HDX",
        replace(_STS_WIRE, product_id=0x2003, spectrum_message=0x00101000, waiting_triggers=(1, 3, 255),
                level_triggers=(3,), in_endpoints=((0x81, 64), (0x82, 64), (0x86, 64)), unanswered=_NO_BOARD),
        _MAYA_BENCH, replace(_S10420, adc_max=65535, dark_pixels=()),
    ),
)  # fmt: skip
_OBP2 = (
    Model("SR4", _SR4_WIRE, _SR4_BENCH, _SR4_DETECTOR),
    Model(
        "SR2", replace(_SR4_WIRE, product_id=0x1001), _SR2_BENCH,
        replace(_SR4_DETECTOR, pixels=2110, dark_pixels=tuple(range(24))),
    ),
    Model("SR6", replace(_SR4_WIRE, product_id=0x1005), _SR6_BENCH, replace(_SR4_DETECTOR, pixels=2048)),
    Model("HR2", replace(_SR4_WIRE, product_id=0x1003), _SR2_BENCH, replace(_SR4_DETECTOR, pixels=2110)),
    Model("HR4", replace(_SR4_WIRE, product_id=0x1004), _SR4_BENCH, _SR4_DETECTOR),
    Model("HR6", replace(_SR4_WIRE, product_id=0x1006), _SR6_BENCH, replace(_SR4_DETECTOR, pixels=2048)),
    Model(
        "ST",
        replace(_SR4_WIRE, product_id=0x1000, step_us=10, waiting_triggers=(3,), in_endpoints=_HIGH_SPEED[:2]),
        _ST_BENCH,
        replace(_ELIS1024, pixels=1516, dark_pixels=tuple(range(1503, 1516))),
    ),
)  # fmt: skip

MODELS: dict[str, Model] = {model.name: model for model in (*_OOI, *_OBP, *_OBP2)}
