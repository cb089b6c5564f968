"""JSON of results and files as compact bytes: what all of them repeat is known beforehand.

A zstd frame that may refer to a text kept here, as to something that stood before it: the words of a result of forty
peaks take 0.65 kB so, and 1.4 kB without. The text is part of the stored form and is never edited: it may be out of
date, which costs bytes and no more. Frames from before there was any refer to nothing, and are read the same way.
"""

from __future__ import annotations

import threading

import zstandard

from oesd.store.encoding import unpack_bytes

_LEVEL = 12  # of 22; a few hundred microseconds for a result, and a tenth fewer bytes than the usual 3
_own = threading.local()


def pack_words(data: bytes) -> bytes:
    """One zstd frame with its length and a checksum, not to be read without this module."""
    compressor: zstandard.ZstdCompressor | None = getattr(_own, "compressor", None)
    if compressor is None:  # one for each thread, as in encoding
        compressor = _own.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, dict_data=_KNOWN)
    return compressor.compress(data)


def unpack_words(frame: bytes) -> bytes:
    """Inverse of :func:`pack_words`; errors as :func:`~oesd.store.encoding.unpack_bytes`."""
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
_KNOWN.precompute_compress(level=_LEVEL)
