"""Terms: the compiled loop against the oracle, on anything and on real text."""

from __future__ import annotations

import sys
import unicodedata
from importlib import metadata
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster import words
from curation_dagster.words import buffers, term_hash_oracle, terms_oracle, texts_from

ANY = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("aB1é\u0301ßİǅ東かกㄱ가\U00020000\U000323b0\U0001f600 -'_\n\u3000\u200b\x00")
)


def kernel(texts: list[str | None]) -> list[list[tuple[int, bytes]]]:
    """Split texts with the compiled loop; give hash and bytes of every term."""
    from curation_dagster import words_kernel

    data, offsets, owner = buffers(pl.Series("t", texts, dtype=pl.String))
    classes, lower = words.tables()
    found = []
    for begin, end in pairwise(offsets):
        room = max(1, int(end - begin))
        hashes = np.empty(room, np.uint64)
        starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
        n = words_kernel.terms(data, begin, end, classes, lower, hashes, starts, ends)
        spans = [data[s:e].tobytes() for s, e in zip(starts[:n], ends[:n], strict=True)]
        found.append(list(zip(hashes[:n].tolist(), spans, strict=True)))
    del owner
    return found


def lowered(span: bytes) -> str:
    _, lower = words.tables()
    return "".join(chr(lower[ord(c)]) if ord(c) < len(lower) else c for c in span.decode())


def check(texts: list[str | None]) -> None:
    for text, found in zip(texts, kernel(texts), strict=True):
        wanted = terms_oracle(text or "")
        assert [h for h, _ in found] == [term_hash_oracle(t) for t in wanted]
        assert [lowered(span) for _, span in found] == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | ANY, max_size=5))
def test_kernel_is_the_oracle(texts: list[str | None]) -> None:
    check(texts)


def test_kernel_is_the_oracle_on_real_text() -> None:
    found = {d.name: d.metadata.json.get("description") for d in metadata.distributions()}
    texts = [str(found[name])[:5_000] for name in sorted(found) if found[name]][:40]
    assert len(texts) > 20
    check([*texts])


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(" \n\t--", [], id="none"),
        pytest.param("The CAT", ["the", "cat"], id="lower case"),
        pytest.param("don't e-mail a_b", ["don", "t", "e", "mail", "a", "b"], id="punctuation"),
        pytest.param("x86 3.14", ["x86", "3", "14"], id="digits"),
        pytest.param("cafe\u0301", ["cafe\u0301"], id="combining mark"),
        pytest.param("ÉTÉ Straße ΣΑΣ", ["été", "straße", "σασ"], id="one-character lower case"),
        pytest.param("İx", ["İx"], id="two-character lower case is left alone"),
        pytest.param("東京tower", ["東", "京", "tower"], id="Han beside Latin"),
        pytest.param("東１", ["東", "１"], id="full-width digit"),
        pytest.param("ภาษา", ["ภ", "า", "ษ", "า"], id="Thai"),
        pytest.param("한국어 말", ["한국어", "말"], id="Hangul has spaces"),
        pytest.param("ab\U0001f600cd", ["ab", "cd"], id="emoji"),
        pytest.param("\U00020000\U00020001", ["\U00020000", "\U00020001"], id="Han extension"),
        pytest.param(
            chr(words.TABLE_SIZE) + "a" + chr(sys.maxunicode), ["a"], id="beyond the table"
        ),
        pytest.param("a\u3000b\u00a0c\u2028d", ["a", "b", "c", "d"], id="white space"),
        pytest.param("a" * 70_000, ["a" * 70_000], id="very long"),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    assert terms_oracle(text) == terms
    check([text])


def test_tables_say_what_unicode_says() -> None:
    classes, lower = words.tables()
    for code in [*range(0x3000), *range(0x3000, words.TABLE_SIZE, 97)]:
        char = chr(code)
        kind = int(classes[code])
        assert bool(kind & words.SPACE) == char.isspace()
        is_letter = unicodedata.category(char)[0] in "LM" and not char.isspace()
        assert bool(kind & words.LETTER) == is_letter
        assert bool(kind & words.UPPER) == (unicodedata.category(char) == "Lu")
        assert not kind & words.UNSPACED or kind & words.LETTER
        if len(char.lower()) == 1 and is_letter:
            assert chr(lower[code]) == char.lower()
    assert unicodedata.unidata_version == words.UNICODE_VERSION


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(pl.Series(["é", None, "", "b"]), id="null"),
        pytest.param(pl.Series(["skipped", "é東", "b", "c"]).slice(1, 2), id="slice"),
        pytest.param(
            pl.concat([pl.Series(["a"]), pl.Series(["bc", "d"])], rechunk=False), id="chunks"
        ),
        pytest.param(pl.Series([], dtype=pl.String), id="empty"),
        pytest.param(pl.Series([None, None], dtype=pl.String), id="all null"),
        pytest.param(pl.Series(["x" * 100, "y" * 13, "z"]), id="long views"),
    ],
)
def test_buffers_hold_the_texts(texts: pl.Series) -> None:
    data, offsets, owner = buffers(texts)
    rows = [data[a:b].tobytes().decode() for a, b in pairwise(offsets)]
    assert rows == [t or "" for t in texts.to_list()]
    if texts.len():
        again = texts_from(data.copy(), offsets.copy(), "again")
        assert (again.name, again.to_list()) == ("again", rows)
    del owner
