"""SpectraSuite's archive: read as it is, refused as it should be."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from oesd.formats import FormatError, read_spectrum
from oesd.formats.containers import holds_several, spectra_of

PIXELS = 12
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "formats" / "BB_PF21_4.ProcSpec"


def doubles(name: str, values) -> str:
    return f"<{name}>" + "".join(f"<double>{value}</double>" for value in values) + f"</{name}>"


def spectrum(first: float, extra: str = "", axis: bool = True) -> str:
    counts = doubles("pixelValues", (first + k for k in range(PIXELS)))
    wavelengths = doubles("channelWavelengths", (200.5 + k for k in range(PIXELS))) if axis else ""
    return f"""<integrationTime>10000</integrationTime>{counts}<boxcarWidth>10</boxcarWidth>
    <scansToAverage>40</scansToAverage>{wavelengths}
    <acquisitionTime><milliTime>1151055549312</milliTime></acquisitionTime>
    <spectrometerSerialNumber>USB4C00008</spectrometerSerialNumber>
    <spectrometerMaximumIntensity>65535.0</spectrometerMaximumIntensity>{extra}"""


def document(extra: str = "", sample: str = "") -> bytes:
    text = f"""<com.oceanoptics.spectrasuite.processors.ProcessedSpectrum>
    <sourceSpectra><com.oceanoptics.omnidriver.spectra.OmniSpectrum>{sample or spectrum(1000.25, extra)}
    </com.oceanoptics.omnidriver.spectra.OmniSpectrum></sourceSpectra>
    <certificates><x><darkSpectrum>{spectrum(90.5, axis=False)}</darkSpectrum>
    <referenceSpectrum>{spectrum(5000, axis=False)}</referenceSpectrum></x>
    <y><darkSpectrum reference="../../x/darkSpectrum"/></y></certificates>
    <groupingSeparator>\xa0</groupingSeparator>
    </com.oceanoptics.spectrasuite.processors.ProcessedSpectrum>"""
    return text.encode("latin-1")


def archive(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name.replace("__", "."), data)
    return packed.getvalue()


def test_sample_dark_and_reference_with_their_settings() -> None:
    read = read_spectrum(archive(OOIVersion__txt=b"1", ps_47__xml=document()), "a.ProcSpec")
    measured = read.measurement
    assert read.format == "ProcSpec"
    assert measured.wavelengths_nm.tolist() == [200.5 + k for k in range(PIXELS)]
    assert measured.sample[0] == 1000.25
    assert measured.dark is not None
    assert measured.dark[0] == 90.5
    assert measured.reference is not None
    assert measured.reference[0] == 5000
    assert (measured.integration_us, measured.scans, measured.saturation_counts) == (10_000, 40, 65535.0)
    assert (read.metadata["serial"], read.metadata["boxcar_half_width_px"]) == ("USB4C00008", "10")
    assert read.metadata["taken_at"] == "2006-06-23T09:39:09.312000+00:00"
    assert read.warnings == ()


def test_what_was_done_to_the_counts_is_a_warning() -> None:
    extra = "<correctForNonLinearity>true</correctForNonLinearity>"
    several = archive(ps_2__xml=document(), ps_10__xml=document(), ps_1__xml=document(extra))
    assert read_spectrum(several).warnings == (
        "3 spectra in one file; only the first is read",
        "the counts were corrected before (NonLinearity)",
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04rest", "damaged ZIP"),
        (archive(thesis__docx=b"x"), "without a spectrum of SpectraSuite"),
        (archive(ps_1__xml=b"<a><b></a>"), "broken XML"),
        (archive(ps_1__xml=b"<a/>"), "without its source spectrum"),
        (archive(ps_1__xml=b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'), "declarations"),
        (archive(ps_1__xml=b'<\x00!DOCTYPE a [<\x00!ENTITY b "bb">]><a>&b;</a>'), "declarations"),
        (archive(ps_1__xml=b'<\x80!DOCTYPE a [<\xff!ENTITY b "bb">]><a>&b;</a>'), "declarations"),
        (archive(ps_1__xml=b"<a>" + b" " * (9 << 20) + b"</a>"), "8 MiB when unpacked"),
        (archive(ps_1__xml=document(sample=spectrum(1, axis=False))), "0 pixels"),
        (archive(ps_1__xml=document().replace(b"1000.25", b"NaN")), "not finite"),
        (archive(ps_1__xml=b"<a>" * 200_000), "broken XML"),
        (archive(**{f"ps_{k}__xml": b"" for k in range(300)}), "300 files"),
    ],
)
def test_what_is_no_spectrum_is_refused_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said) as refused:
        read_spectrum(data, "a.ProcSpec")
    assert "\n" not in str(refused.value)


def test_bits_that_flip_never_end_in_anything_else() -> None:
    whole, chance = archive(ps_1__xml=document()), np.random.default_rng(3)
    for _ in range(300):
        torn = bytearray(whole)
        for place in chance.integers(4, len(torn), 3):
            torn[place] ^= 1 << int(chance.integers(8))
        try:
            read_spectrum(bytes(torn))
        except FormatError as error:
            assert "\n" not in str(error)


@pytest.mark.skipif(not SHARED.is_file(), reason="no ../shared/data beside this tree")
def test_a_file_of_the_real_software() -> None:
    measured = read_spectrum(SHARED.read_bytes(), SHARED.name).measurement
    assert (len(measured.sample), measured.wavelengths_nm[0], measured.integration_us) == (3648, 176.3604183, 10_000)
    assert measured.dark is not None
    assert measured.reference is not None


def test_the_text_of_its_version_makes_it_no_archive_of_exports():
    """As SpectraSuite writes it: ``oesd import`` and ``oesd analyze`` took the version for a spectrum."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in (("ps_47.xml", document()), ("OOISignatures.xml", b"<a/>"), ("OOIVersion.txt", b"1")):
            archive.writestr(name, text)
    assert not holds_several(out.getvalue())
    [(name, found)] = spectra_of(out.getvalue(), "a.ProcSpec")
    assert (name, found.format, len(found.measurement.sample)) == ("a.ProcSpec", "ProcSpec", PIXELS)
