"""How code points are classified, which the model's features count, and where that is what terms are made of."""

from __future__ import annotations

import hashlib
import unicodedata

from curation_dagster import words
from curation_dagster.ingest.blocks import bytes_kernel
from curation_dagster.ingest.blocks.markup import DIGIT, LETTER, SPACE, UNSPACED

CODES = [  # every one of the first plane, where classes change inside a block of 64; the first of 64 behind it
    *(code for code in range(128, 0x10000) if not 0xD800 <= code < 0xE000),
    *range(0x10000, 0x110000, 64),
]


def classes() -> dict[int, int]:
    """Return the classes of code points above ASCII."""
    found = {}
    for code in CODES:
        utf8 = chr(code).encode()
        kind, size = bytes_kernel.wide.py_func(utf8, 0)  # compiling it takes longer than this
        assert size == len(utf8)
        found[code] = int(kind)
    return found


def test_classes_are_those_the_model_was_fitted_to() -> None:
    """They are coarser than `words.tables`, which costs a lookup a code point. Another digest means to train again."""
    found = classes()
    assert hashlib.sha256(bytes(found.values())).hexdigest()[:16] == "6b80a09f81ee8b81"
    table, _ = words.tables()
    for first, last in (
        ("À", "ÿ"),
        ("Α", "Ͽ"),
        ("А", "я"),
        ("א", "ת"),
        ("ぁ", "ゖ"),
        ("一", "龥"),
        ("가", "힣"),
        ("ก", "ฮ"),
    ):
        for code in range(ord(first), ord(last) + 1):
            if unicodedata.category(chr(code))[0] not in "LM":
                continue
            assert bool(found[code] & (LETTER | DIGIT)), chr(code)
            assert bool(found[code] & UNSPACED) == bool(table[code] & words.UNSPACED), chr(code)
    spaces = [code for code in CODES if chr(code).isspace()]
    assert sum(bool(found[code] & SPACE) for code in spaces) >= len(spaces) - 2
