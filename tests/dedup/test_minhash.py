"""Fingerprints against datasketch, and tables of what counts as the same text."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from datasketch import MinHash, MinHashLSH

from curation_dagster.dedup.minhash import fingerprint, parameters, shingle_hash_oracle
from curation_dagster.errors import RecipeError
from curation_dagster.recipe import Dedup
from curation_dagster.words import terms_oracle

ODD = [
    "", " \n", "one", "Two words", "a b c d", "a b c d e", "東京は晴れ。明日も晴れ", "ÀÉ ßtraße ΑΣ",
    "🙂🙃", "\u212aelvin Kelvin", "Abcdefgh abcdefghi x" * 3000, "é" * 30,
]  # fmt: skip


def shingles(text: str, size: int) -> list[tuple[str, ...]]:
    terms = terms_oracle(text)
    size = min(size, len(terms))
    return [tuple(terms[i : i + size]) for i in range(len(terms) - size + 1)] if terms else []


def datasketch_signature(text: str, size: int, width: int, seed: int) -> np.ndarray:
    sketch = MinHash(num_perm=width, seed=seed, hashfunc=shingle_hash_oracle)
    sketch.update_batch(shingles(text, size))
    return np.asarray(sketch.hashvalues)


def exact(text: str | None) -> bytes | None:
    found: bytes | None = fingerprint(pl.Series([text], dtype=pl.String), Dedup())[
        "exact_hash"
    ].item()
    return found


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(Dedup(), id="14 bands of 8"),
        pytest.param(Dedup(ngram_terms=3, bands=5, rows=3, seed=7), id="other sizes and seed"),
        pytest.param(Dedup(threshold=0.8, permutations=128), id="threshold"),
        pytest.param(Dedup(ngram_terms=1, bands=2, rows=1, seed=0), id="single terms"),
    ],
)
def test_signatures_are_those_of_datasketch(
    config: Dedup, package_descriptions: list[str], bench_texts: list[str]
) -> None:
    texts = [*ODD, *(t[:8000] for t in package_descriptions[:15]), *bench_texts[::20]]
    prints = fingerprint(pl.Series(texts), config)
    bands, rows = parameters(config)
    drawn = bands * rows if config.threshold is None else config.permutations
    for text, found in zip(texts, prints["signature"], strict=True):
        if not terms_oracle(text):
            assert found is None
            continue
        wanted = datasketch_signature(text, config.ngram_terms, drawn, config.seed)[: bands * rows]
        assert np.array_equal(found.to_numpy(), wanted)


def test_parameters_are_those_of_datasketch() -> None:
    lsh = MinHashLSH(threshold=0.7, num_perm=64)
    assert parameters(Dedup(threshold=0.7, permutations=64)) == (lsh.b, lsh.r)
    assert parameters(Dedup(bands=3, rows=2)) == (3, 2)
    with pytest.raises(RecipeError, match="threshold 1"):
        parameters(Dedup(threshold=1.0, permutations=2))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        pytest.param("The quick Fox", "the QUICK fox", True, id="case"),
        pytest.param("one, two; three!", "one two three", True, id="punctuation"),
        pytest.param("one\n\ttwo  three", "one two three ", True, id="white space"),
        pytest.param("東京は晴れ", "東京 は、晴れ", True, id="CJK punctuation"),
        pytest.param("ÉCOLE ΑΒΓ", "école αβγ", True, id="letters beyond ASCII"),
        pytest.param("\u212a", "k", True, id="Kelvin sign is a k"),
        pytest.param("abcdefg\u212aabcdefgK", "ABCDEFGKABCDEFGK", True, id="Kelvin in long terms"),
        pytest.param("ab c", "a bc", False, id="boundaries count"),
        pytest.param("abcdefgh ijk", "abcdefghijk", False, id="boundary after eight bytes"),
        pytest.param("abcdefgh", "abcdefg h", False, id="boundary before eight bytes"),
        pytest.param("one two", "two one", False, id="order counts"),
        pytest.param("one two", "one two two", False, id="number counts"),
        pytest.param("a" * 8, "a" * 16, False, id="length in whole words"),
        pytest.param("é", "e", False, id="accents count"),
        pytest.param("", "", True, id="empty"),
        pytest.param("", " ", False, id="no terms, other bytes"),
        pytest.param("!!", "??", False, id="punctuation only"),
        pytest.param("🙂", "🙂", True, id="emoji only"),
        pytest.param("\u0000", "", False, id="nul byte"),
    ],
)
def test_exact_hash(a: str, b: str, same: bool) -> None:
    first, second = exact(a), exact(b)
    assert first is not None
    assert len(first) == 16
    assert (first == second) is same


def test_exact_hash_of_real_text_differs_where_terms_differ(
    package_descriptions: list[str], bench_texts: list[str]
) -> None:
    texts = pl.Series([*package_descriptions, *bench_texts])
    prints = fingerprint(texts, Dedup())
    keys = [tuple(terms_oracle(t)) or t for t in texts]
    pairs = set(zip(keys, prints["exact_hash"], strict=True))
    assert len(pairs) == len(set(keys)) == prints["exact_hash"].n_unique()
    assert prints["term_count"].to_list() == [len(terms_oracle(t)) for t in texts]


def test_lanes_are_independent() -> None:
    halves = [
        np.frombuffer(h, "<u8")
        for h in fingerprint(pl.Series(map(str, range(4000))), Dedup())["exact_hash"]
    ]
    bits = np.unpackbits(np.array(halves).view(np.uint8), axis=1).astype(float)
    correlation = np.abs(np.corrcoef(bits.T)[:64, 64:])
    assert correlation.max() < 6 / np.sqrt(4000)


def test_nothing_depends_on_the_batch(package_descriptions: list[str]) -> None:
    texts = pl.Series("text", [*ODD[:-1], None, *package_descriptions[:10]])
    whole = fingerprint(texts, Dedup())
    parts = pl.concat(fingerprint(texts[i : i + 1], Dedup()) for i in range(len(texts)))
    assert whole.equals(parts)
    assert fingerprint(texts[3:9], Dedup()).equals(whole[3:9])


def test_shapes() -> None:
    prints = fingerprint(pl.Series(["", None, "a b"]), Dedup(bands=3, rows=2))
    assert prints.columns == [
        "exact_hash",
        "term_count",
        "signature",
        *(f"band_0{i}" for i in range(3)),
    ]
    assert prints.dtypes == [pl.Binary, pl.UInt32, pl.List(pl.UInt32), *[pl.UInt64] * 3]
    assert prints["term_count"].to_list() == [0, None, 2]
    assert prints["band_00"].is_null().to_list() == [True, True, False]
    assert prints["exact_hash"].is_null().to_list() == [False, True, False]
    assert (
        fingerprint(pl.Series([], dtype=pl.String), Dedup(bands=3, rows=2)).schema == prints.schema
    )


def test_equal_values_in_two_bands_give_two_keys() -> None:
    from curation_dagster.dedup import minhash_kernel

    signature = np.array([5, 6, 5, 6], np.uint32)
    keys = {int(minhash_kernel.band_key(signature, band, 2)) for band in (0, 1)}
    assert len(keys) == 2
