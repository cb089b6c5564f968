"""JSON of results and files as compact bytes: what all of them repeat is known beforehand.

A zstd frame that may refer to a text kept here, as to something that stood before it: the words of a result take
0.15 kB so, and 0.4 kB without. The texts are part of the stored form and are never edited: they may be out of
date, which costs bytes and no more. Frames from before there was any refer to nothing, and are read the same way.
What is written now refers to both texts, and has neither zstd's magic number nor its checksum: who keeps it has a
better one.
"""

from __future__ import annotations

import threading

import zstandard

from oesd.store.encoding import LARGEST, EncodingError, unpack_bytes

_LEVEL = 12  # of 22; a few hundred microseconds for a result, and a tenth fewer bytes than the usual 3
_FORM = zstandard.FORMAT_ZSTD1_MAGICLESS
_own = threading.local()


def pack_words(data: bytes) -> bytes:
    """One frame with its length, not to be read without this module."""
    compressor: zstandard.ZstdCompressor | None = getattr(_own, "compressor", None)
    if compressor is None:  # one for each thread, as in encoding
        compressor = _own.compressor = zstandard.ZstdCompressor(dict_data=_BOTH, compression_params=_PARAMETERS)
    return compressor.compress(data)


def unpack_words(frame: bytes) -> bytes:
    """Inverse of :func:`pack_words`; EncodingError when the bytes make no sense."""
    decompressor: zstandard.ZstdDecompressor | None = getattr(_own, "decompressor", None)
    if decompressor is None:
        decompressor = _own.decompressor = zstandard.ZstdDecompressor(dict_data=_BOTH, format=_FORM)
    try:
        if not 0 <= zstandard.get_frame_parameters(frame, format=_FORM).content_size <= LARGEST:
            raise EncodingError("frame without a sane length")
        return decompressor.decompress(frame)
    except zstandard.ZstdError as error:
        raise EncodingError(str(error)) from error


def unpack_words_before(frame: bytes) -> bytes:
    """Words from before schema step 8, which knew the first text alone; errors as :func:`unpack_words`."""
    return unpack_bytes(frame, _KNOWN)


_TEXT = (
    b'[{"peaks":{"peak_id":["p1","p2","p3","p4","p5","p6","p7","p8","p9","p10","p11","p12","p13","p14","p15","p16"'
    b',"p17","p18","p19","p20","p21","p22","p23","p24","p25","p26","p27","p28","p29","p30","p31","p32","p33","p34"'
    b',"p35","p36","p37","p38","p39","p40","p41","p42","p43","p44","p45","p46","p47","p48","p49","p50","p51","p52"'
    b',"p53","p54","p55","p56","p57","p58","p59","p60"],"manual":[false,false,false,false,false,false,false,false,'
    b'true,false,false,false,false,false,false,false,false],"saturated":[false,false,false,false,false,false,false'
    b',false,true,false,false,false,false,false,false,false,false],"blended":[false,false,false,false,false,false,'
    b'false,false,true,false,false,false,false,false,false,false,false],"ambiguous":[false,false,false,false,false'
    b',false,false,false,true,false,false,false,false,false,false,false,false],"element":[null,null,"Ar","Ar","Ar"'
    b']},"candidates":{"ionization":[1,1,1,1,1,1,1,1,1,1,1,1,2,1,1,2,2,1],"element":["H","He","Li","Be","B","C","N'
    b'","O","F","Ne","Na","Mg","Al","Si","P","S","Cl","Ar","K","Ca","Sc","Ti","V","Cr","Mn","Fe","Co","Ni","Cu","Z'
    b'n","Ga","Ge","As","Se","Br","Kr","Rb","Sr","Y","Zr","Nb","Mo","Ag","Cd","In","Sn","Sb","Te","I","Xe","Cs","B'
    b'a","La","Hf","Ta","W","Pt","Au","Hg","Tl","Pb","Bi","N2","N2+","OH","NH","CN","C2","CH"]},"per_peak":[8,8,8,'
    b'8,8,8,7,6,5,4,3,2,1],"keys":[],"decimals":[4,5,4,4,2,3,3,4,4,4]},{"numbers":900}][{"analysis":{"given":{"wav'
    b'elengths_nm":"same","sample":"same","dark":"same"},"elements":[["Ba",1.0],["Fe",0.8495]],"recipe":{"constrai'
    b'nt":"auto","elements":[],"fwhm_nm":null},"line_table_version":"nist-asd-libskit-0.2+pypeit-2.0.1 r2","engine'
    b'_version":"2.0","warnings":[],"molecules":[],"ambiguous":[],"axis":{"shift_nm":0.0071,"stretch":-3.4835e-05,'
    b'"pivot_nm":428.2604,"sigma_nm":0.03515,"sure":true,"reason":""},"line_spread":{"wavelengths_nm":[354.34517,6'
    b'57.8111,954.32912],"fwhm_nm":[0.80405,0.79173,0.77852],"sigma_nm":[0.01632,0.01222,0.04228],"wing":0.0,"line'
    b's":7}},"metadata":{"record_id":"01a20000-0000-7000-8000-000000000000","device":"","serial":"USB2+F00000","mo'
    b'del":"USB2000+","simulated":false,"calibrated":true,"taken_at":"2026-11-22T10:00:00.000000Z","run_id":"2026-'
    b'11-22T10:00:00Z","sequence":1,"slot":1,"integration_us":100000,"scans":1,"boxcar_half_width_px":0,"saturatio'
    b'n_counts":65535,"saturated_pixels":0,"detector_temperature_c":-10.0,"board_temperature_c":null,"cause":"alwa'
    b'ys","labels":{"sample":"","operator":""},"dark_id":null,"dark_reason":"","reference_id":null,"reference_reas'
    b'on":"none","clock_offset_ms":null,"oesd_version":"0.1.0"}},{"scope_corrected":29,"peaks":1534}]'
)
_KNOWN = zstandard.ZstdCompressionDict(_TEXT, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_LATER = (
    b'[{"analysis":{"given":{"scope_corrected":[1,2048],"wavelengths_nm":"same","sample":"same","dark":"same"},"eleme'
    b'nts":[["Ti",1.0],["V",0.9804]],"recipe":{"constraint":"auto","elements":[],"fwhm_nm":0.84},"line_table_version"'
    b':"nist-asd-libskit-0.2+pypeit-2.0.1 r2","engine_version":"2.3","warnings":["7 saturated pixels: heights there a'
    b're lower limits","the lines lie +0.48 nm from where they belong: the wavelength axis needs calibration"],"molec'
    b'ules":[],"ambiguous":[],"axis":{"shift_nm":-0.0567,"stretch":-5.5769e-05,"pivot_nm":626.5804,"sigma_nm":0.02277'
    b',"sure":true,"reason":""},"line_spread":{"wavelengths_nm":[453.0559,677.9588,906.38918],"fwhm_nm":[0.89055,0.84'
    b'687,0.87204],"sigma_nm":[0.01596,0.01517,0.02017],"wing":0.0,"lines":15}},"peaks":{},"metadata":{"oesd_version"'
    b':"0.1.0"},"known":{"at":[24]}},{"numbers":987}]'
)
_BOTH = zstandard.ZstdCompressionDict(_TEXT + _LATER, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(
    _LEVEL, format=_FORM, write_checksum=False, write_content_size=True
)
