"""What is named against a slow oracle: sets of n-grams of terms, and shares by hand."""

import json
import string

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.erased import blanked
from curation_dagster.named import LEAST_TERMS, NGRAM_TERMS, Named
from curation_dagster.schema import RAW
from curation_dagster.words import terms_oracle


def grams(text: str, size: int) -> set[tuple[str, ...]]:
    terms = terms_oracle(text)
    return {tuple(terms[i : i + size]) for i in range(len(terms) - size + 1)}


def oracle(named: list[str], text: str, min_share: float) -> list[tuple[int, float]]:
    """List (which, share) of the named texts that a text holds enough of."""
    found = []
    for i, name in enumerate(named):
        size = min(NGRAM_TERMS, len(terms_oracle(name)))
        if size < LEAST_TERMS:
            continue
        mine = grams(name, size)
        share = len(mine & grams(text, size)) / len(mine)
        if mine & grams(text, size) and share >= min_share:
            found.append((i, share))
    return found


def docs(*texts: str | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"doc_id": [f"d{i}" for i in range(len(texts))], "text": texts, "url": [None] * len(texts)},
        schema={"doc_id": pl.String, "text": pl.String, "url": pl.String},
    )


WORDS = st.lists(st.sampled_from(["a", "Bee", "cé", "d4", "中", "e-f", "G."]), max_size=40).map(
    " ".join
)


@given(
    st.lists(WORDS, min_size=1, max_size=4),
    st.lists(WORDS, max_size=4),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_texts_are_found_as_an_oracle_says(named, texts, min_share):
    joined = [*texts, " ".join(texts + named)]
    made = Named.read(json.loads(json.dumps(Named.of_texts(pl.Series(named), min_share).said)))
    found = made.find(docs(*joined)).filter(method="text")
    wanted = [(d, i, s) for d, text in enumerate(joined) for i, s in oracle(named, text, min_share)]
    assert found.select("doc", "item").rows() == [(d, i) for d, i, _ in wanted]
    assert found["score"].to_list() == pytest.approx([s for *_, s in wanted])
    for d, i, start, end in found.select("doc", "item", "start", "end").rows():
        span = joined[d].encode()[start:end].decode()
        size = min(NGRAM_TERMS, len(terms_oracle(named[i])))
        assert terms_oracle(span)[:size] in [list(g) for g in grams(named[i], size)]
        assert terms_oracle(span)[-size:] in [list(g) for g in grams(named[i], size)]


TWENTY = " ".join(string.ascii_lowercase[:20])  # 8 n-grams of 13


@pytest.mark.parametrize(
    ("text", "min_share", "is_found"),
    [
        pytest.param(TWENTY[: 2 * 16], 0.5, True, id="four of eight"),
        pytest.param(TWENTY[: 2 * 15], 0.5, False, id="three of eight"),
        pytest.param(TWENTY[: 2 * 15], 0.375, True, id="three of eight, as asked"),
        pytest.param(TWENTY, 1.0, True, id="all"),
        pytest.param(TWENTY[2:], 1.0, False, id="all but one"),
        pytest.param(TWENTY.upper().replace(" ", ",\n"), 1.0, True, id="other writing"),
        pytest.param("", 0.5, False, id="empty"),
        pytest.param(None, 0.5, False, id="null"),
        pytest.param("😀" * 10_000 + TWENTY, 1.0, True, id="far in, behind emoji"),
    ],
)
def test_at_the_share(text, min_share, is_found):
    found = Named.of_texts(pl.Series([TWENTY]), min_share).find(docs(text))
    assert (found.filter(method="text").height == 1) is is_found


def test_short_texts_are_found_whole_or_not_at_all():
    named = Named.of_texts(pl.Series(["one two three four", "one two three", "!?"]))
    assert named.undetectable == [1, 2]
    found = named.find(
        docs("One two; three, four five", "zero one two three", "ONE two three.", "!?")
    )
    assert found.select("doc", "method").rows() == [(0, "text"), (2, "copy")]


def test_many_hits_need_more_room():
    texts = [f"{TWENTY} {i}" for i in range(3000)]
    found = Named.of_texts(pl.Series([TWENTY])).find(docs(*texts))
    assert found["doc"].to_list() == list(range(3000))


def test_a_list_holds_no_word_of_a_text():
    secret = "The unpublished memoirs of an anonymous lighthouse keeper begin with these very words about rain."
    assert not any(
        word in json.dumps(Named.of_texts(pl.Series([secret])).said)
        for word in secret.split()
        if len(word) > 4
    )


def test_a_blanked_row_keeps_its_place_and_size():
    row = {
        "row": 7,
        "doc_id": "d",
        "url": "u",
        "title": "t",
        "text": "x",
        "text_bytes": 1,
        "record_bytes": 99,
    }
    frame = pl.DataFrame([row, row | {"doc_id": "e"}], schema=RAW)
    found = blanked(frame, pl.Series([True, False]))
    assert found.schema == frame.schema
    assert found.row(1) == frame.row(1)
    gone = found.row(0, named=True)
    assert {k: gone[k] for k in ("row", "doc_id", "url", "record_bytes")} == {
        "row": 7,
        "doc_id": "d",
        "url": "u",
        "record_bytes": 99,
    }
    assert (gone["text"], gone["title"], gone["text_bytes"], gone["rejected_by"]) == (
        None,
        None,
        0,
        "ingest.erased",
    )
