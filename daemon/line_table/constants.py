"""Constants of the molecules that no packaged line list has, and the band heads that check them.

Two sources each. Constants (1/cm): Huber and Herzberg, Constants of Diatomic Molecules (1979), as the NIST Chemistry
WebBook gives them (CO, CH, TiO: the tables of pyfant 24.9.2.2; NO: WebBook and Park 1990; AlO, SiH, SiF: from memory,
so that the heads alone vouch for them; SiF B-A besides: its origin, Johns and Barrow 1958), N2: Laher and Gilmore, J.
Phys. Chem. Ref. Data 20, 685 (1991). Heads (nm in air): Pearse and Gaydon, The Identification of Molecular Spectra (4th
ed. 1976), as transcribed by Copland's MELT; those of CO Angstrom, NO, CH and TiO gamma from memory.

Terms of spin-orbit components are A Lambda Sigma; of TiO, whose states are listed for one component, the distances of
the heads. N2's transition moment: so that the probabilities are met (8 %) that Vallance Jones tabulates (Aurora, 1974;
as in gridaurora 1.3.4), whose heads N2's are, too, to v' = 12. What could not be checked is not here: CF2 and other
polyatomics, H2, MgO, YO, O2+, BH.
"""

from __future__ import annotations

from diatomics import State, System, heads

N2_B = State(
    *(58462.75, 1734.38, 14.558, 1.63802, 0.018302, 1, 1.397e-2, 5.9e-6, (-42.24, 0.0, 42.24)),
    higher=(-1.127e-3,),
    turning=(-8.36e-6, -3.39e-6),
)
N2_A = State(
    *(49028.01, 1460.48, 13.775, 1.45499, 0.018385, 0, -1.175e-2, 5.76e-6),
    higher=(1.41e-4, -7.29e-5),
    turning=(1.24e-5, -6.7e-6),
)
CO_B = State(86945.2, 2112.7, 15.22, 1.9612, 0.0261, 0, 0.0, 7.1e-6)
CO_A = State(65075.77, 1518.24, 19.40, 1.6115, 0.02325, 1, 0.766, 7.33e-6)
CO_b = State(83814.0, 2199.3, 0.0, 1.986, 0.042, 0)
CO_a = State(48686.7, 1743.41, 14.36, 1.69124, 0.01904, 1, -0.045, 6.36e-6, (-41.53, 0.0, 41.53))
NO_A = State(43965.7, 2374.31, 16.106, 1.9965, 0.01915, 0, 0.0, 5.4e-6)
NO_X = State(0.0, 1904.20, 14.075, 1.67195, 0.0171, 1, 0.0, 5.4e-7, (0.0, 121.1))
CH_A = State(23189.8, 2930.7, 96.65, 14.934, 0.697, 2, 0.0, 1.54e-3)
CH_B = State(26214.0, 1794.9, 0.0, 12.645, 0.0, 0, 0.0, 2.22e-3)
CH_X = State(0.0, 2858.5, 63.02, 14.457, 0.534, 1, 0.0, 1.45e-3)
ALO_B = State(20688.95, 870.05, 3.52, 0.60408, 0.00447, 0)
ALO_X = State(0.0, 979.23, 6.97, 0.64136, 0.0058, 0)
TIO_A = State(14431.0, 867.78, 3.942, 0.50739, 0.00315, 3, 0.0, 6.92e-7, (0.0, -66.7, -141.4))
TIO_B = State(16331.3, 875.0, 5.0, 0.50617, 0.00315, 1, 0.0, 6.86e-7, (10.0, 83.0, 157.0))
TIO_C = State(19617.0, 838.26, 4.76, 0.48989, 0.00306, 2, 0.047, 6.7e-7)
TIO_X = State(197.5, 1009.02, 4.498, 0.53541, 0.00301, 2, -0.0107, 6.03e-7)
SIH_A = State(24300.4, 1858.90, 99.175, 7.4664, 0.3445, 2)
SIH_X = State(0.0, 2041.80, 35.51, 7.4996, 0.2190, 1, terms=(-42.0, 42.0))
SIF_A = State(22872.0, 718.5, 10.167, 0.578, 0.0097, 0)
SIF_B = State(34554.6, 1011.23, 4.825, 0.6268, 0.00474, 0)
SIF_A_OF_B = State(22851.2, 718.5, 10.167, 0.578, 0.0097, 0)  # from B's own origin
SIF_X = State(0.0, 857.19, 4.735, 0.58125, 0.00494, 1, terms=(-80.94, 80.94))

SYSTEMS = {
    "N2 1+": System(
        N2_B,
        N2_A,
        7.00154,
        (
            (1, 0, 891.24),
            (2, 1, 872.23),
            (3, 2, 854.18),
            (4, 3, 836.92),
            (2, 0, 775.32),
            (3, 1, 762.62),
            (4, 2, 750.48),
            (5, 3, 738.66),
            (5, 2, 670.48),
            (6, 3, 662.36),
            (7, 4, 654.48),
            (8, 5, 646.85),
            (9, 6, 639.47),
            (10, 7, 632.29),
            (11, 8, 625.28),
            (5, 1, 612.74),
            (6, 2, 606.97),
            (7, 3, 601.36),
            (8, 4, 595.90),
            (9, 5, 590.60),
            (10, 6, 585.44),
            (11, 7, 580.43),
            (12, 8, 575.52),
            (6, 1, 559.3),
        ),
        13,
        falls=2.0,
    ),
    "CO": System(CO_B, CO_A, 6.85621, ((0, 0, 451.09), (0, 1, 483.53), (0, 2, 519.82), (0, 3, 561.02)), 1),
    "CO 3+": System(CO_b, CO_a, 6.85621, ((0, 0, 283.31), (0, 1, 297.74), (0, 2, 313.44), (0, 3, 330.57)), 1),
    "NO": System(NO_A, NO_X, 7.46643, ((1, 0, 215.49), (0, 0, 226.94), (0, 1, 237.02), (0, 2, 247.87)), 4),
    "CH": System(CH_A, CH_X, 0.929741, ((0, 0, 431.42),), 3),
    "CH B": System(CH_B, CH_X, 0.929741, ((0, 0, 388.9),), 1),
    "AlO": System(
        ALO_B,
        ALO_X,
        10.0419,
        (
            (0, 0, 484.22),
            (1, 1, 486.62),
            (1, 0, 464.81),
            (2, 1, 467.19),
            (3, 2, 469.44),
            (0, 1, 507.94),
            (1, 2, 510.20),
            (2, 3, 512.31),
            (2, 0, 447.04),
            (3, 1, 449.38),
            (0, 2, 533.70),
        ),
    ),
    "TiO g": System(TIO_A, TIO_X, 11.9939, ((0, 0, 705.42),), 4),
    "TiO g'": System(TIO_B, TIO_X, 11.9939, ((0, 0, 615.85), (1, 0, 584.7)), 4),
    "TiO a": System(TIO_C, TIO_X, 11.9939, ((0, 0, 516.72), (1, 0, 495.46)), 6),
    "SiH": System(SIH_A, SIH_X, 0.972782, ((0, 0, 412.80), (0, 0, 414.23), (1, 1, 418.39)), 2),
    "SiF": System(
        SIF_A,
        SIF_X,
        11.3147,
        ((0, 0, 436.82), (0, 0, 440.05), (1, 1, 439.83), (1, 1, 443.02), (0, 1, 453.59), (1, 0, 424.08)),
    ),
    "SiF B-A": System(SIF_B, SIF_A_OF_B, 11.3147, ((0, 0, 844.1),), 4),
    "SiF B": System(SIF_B, SIF_X, 11.3147, ((0, 0, 288.08), (0, 0, 289.44), (0, 1, 296.71), (1, 0, 281.30)), 4),
}

if __name__ == "__main__":
    from bands import air_nm  # which asks for these constants

    for name, system in SYSTEMS.items():
        for upper, lower, seen_nm in system.heads:
            found_nm = min(
                (float(air_nm(1e7 / cm)) for cm in heads(system, upper, lower)), key=lambda nm: abs(nm - seen_nm)
            )
            print(f"{name:8} {upper}-{lower}  seen {seen_nm:7.2f}  these constants {found_nm:7.2f} nm")
