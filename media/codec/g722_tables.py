"""The numbers of ITU-T G.722 that both the compiled codec and its reference use, named as in the recommendation."""

# The quadrature mirror filter, half of its 24 symmetric coefficients (table 11), in units of 2**-13.
QMF = (3, -11, -11, 53, 12, -156, 32, 362, -210, -805, 951, 3876)

# Lower sub-band: decision levels (table 14), output codes for each sign (table 15).
Q6 = (
    *(0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650),
    *(714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919),
)
ILN: tuple[int, ...] = (0, 63, 62, *range(31, 3, -1))
ILP: tuple[int, ...] = (0, *range(61, 31, -1), 0)

# Output levels of the inverse quantizers of 6, 4 and 2 bits (tables 17, 18, 20).
_QM6 = (
    *(24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576),
    *(6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728),
)
QM6: tuple[int, ...] = (*(-136,) * 4, *(-level for level in _QM6), *_QM6, 432, 136, -432, -136)
_QM4 = (20456, 12896, 8968, 6288, 4240, 2584, 1200)
QM4: tuple[int, ...] = (0, *(-level for level in _QM4), *_QM4, 0)
QM2 = (-7408, -1616, 7408, 1616)

# Adaptation of the scale factors: logarithmic multipliers by code (tables 19, 21) and the antilogarithm (table 16).
RL42 = (0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0)
WL = (-60, -30, 58, 172, 334, 538, 1198, 3042)
RH2 = (2, 1, 2, 1)
WH = (0, -214, 798)
ILB = (
    *(2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834),
    *(2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008),
)
