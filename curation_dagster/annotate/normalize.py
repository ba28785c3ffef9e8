"""Make equal text equal bytes: Unicode NFC (UAX #15), LF line ends, no control characters.

Every line end of `str.splitlines` becomes one LF: CR LF, CR, VT, FF, FS, GS, RS, NEL, U+2028 and
U+2029. The other C0 and C1 controls (tab stays), DEL and U+FEFF are removed, then the text is
composed. Removing comes first, because it can bring a letter and its accent together. Not here:
what people mean by "clean" text; that is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

LINE_END = r"\r\n|[\r\x0b\x0c\x1c-\x1e\x{85}\x{2028}\x{2029}]"
CONTROL = r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x{84}\x{86}-\x{9f}\x{feff}]"
# Every character that NFC may change or move: all marks, conjoining jamo, and those with NFC_QC=No.
# Text without one is in NFC already; composing it would cost ten times the rest.
MAY_COMPOSE = (
    r"[\p{M}\x{374}\x{37e}\x{387}\x{958}-\x{95f}\x{9dc}-\x{9df}\x{a33}-\x{a5e}\x{b5c}\x{b5d}"
    r"\x{f43}-\x{fb9}\x{1100}-\x{11ff}\x{1f71}-\x{1fff}\x{2000}\x{2001}\x{2126}-\x{212b}"
    r"\x{2329}\x{232a}\x{2adc}\x{f900}-\x{faff}\x{fb1d}-\x{fb4e}\x{1d15e}-\x{1d1ff}\x{2f800}-\x{2fa1f}]"
)


def normalize(texts: pl.Series) -> pl.Series:
    r"""Normalise a text column; null stays null. Linear time; idempotent.

    >>> import polars as pl
    >>> normalize(pl.Series(["cafe\u0301\r\nau\x00 lait"])).to_list()
    ['café\nau lait']
    """
    clean = texts.str.replace_all(LINE_END, "\n").str.replace_all(CONTROL, "")
    open_rows = clean.str.contains(MAY_COMPOSE).fill_null(value=False).arg_true()
    if not len(open_rows):
        return clean
    return clean.clone().scatter(open_rows, clean.gather(open_rows).str.normalize("NFC"))
