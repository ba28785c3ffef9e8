"""Python's `round(x, 8)`, to the last bit, in compiled loops.

numba's own `round` scales by a power of ten and rounds the product, which is off by one in the last
digit where the product rounds to a half and the decimal value lies beside it (1/2560 is one such).

Import this module inside the function that needs it: it loads numba.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import math

from curation_dagster.compiled import njit

TEN = 1e8  # 19 significant bits: its product with half a mantissa is exact
SPLIT = 134217729.0  # 2**27 + 1 (Veltkamp): splits a mantissa into halves of 26 bits
WHOLE = 2.0**52  # from here on a double has no fraction


@njit(inline="always")
def rounded(x):
    """Round to 8 decimals, a tie of the exact value to even; NaN and 0 <= x only."""
    y = x * TEN
    if not y < WHOLE:
        return x
    floor = math.floor(y)
    rest = y - floor
    up = rest > 0.5
    if rest == 0.5:
        high = SPLIT * x
        high = high - (high - x)
        error = (high * TEN - y) + (x - high) * TEN  # x * TEN - y, exactly (Dekker)
        up = error > 0 or (error == 0 and floor % 2 == 1)
    return (floor + 1.0) / TEN if up else floor / TEN
