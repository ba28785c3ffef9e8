"""The kernels of stems and of programs against a slow oracle, on real text and on any text."""

import gzip
import json

import numpy as np
import polars as pl
import pytest
import stems_oracle as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import DATA

from curation_dagster.decontaminate import code_kernel, stems_kernel
from curation_dagster.words import tables, term_hash_oracle

BENCH = DATA / "bench/text-8000.parquet"
HUMANEVAL = DATA / "benchmarks/humaneval.jsonl.gz"
ANY_TEXT = st.text(
    st.sampled_from("aesingSTNe 0129.,'_-é東ß\n١") | st.characters(exclude_categories=["Cs"]),
    max_size=60,
)


def kernel_stems(text, function=stems_kernel.stems):
    data = np.frombuffer(text.encode(), np.uint8)
    hashes = np.zeros(len(data) + 1, np.uint64)
    starts, ends = np.zeros(len(data) + 1, np.int64), np.zeros(len(data) + 1, np.int64)
    n = function(data, 0, len(data), *tables(), hashes, starts, ends)
    return data, hashes[:n], starts[:n], ends[:n]


def in_bytes(text, place):
    return len(text[:place].encode())


def check(text):
    data, hashes, starts, ends = kernel_stems(text)
    expected = oracle.stems(text)
    assert hashes.tolist() == [term_hash_oracle(word) for word, *_ in expected]
    assert starts.tolist() == [in_bytes(text, a) for _, a, _ in expected]
    assert ends.tolist() == [in_bytes(text, b) for *_, b in expected]
    out = np.zeros(4 * len(data) + 4, np.uint64)
    assert out[: stems_kernel.pairs(hashes, len(hashes), out)].tolist() == oracle.pairs(text)
    n = stems_kernel.char_grams(data, starts, ends, len(hashes), tables()[1], out)
    assert out[:n].tolist() == oracle.char_grams(text)
    assert kernel_stems(text, stems_kernel.noisy_stems)[1].tolist() == oracle.noisy_stems(text)


@settings(max_examples=300, deadline=None)
@given(ANY_TEXT)
def test_any_text_has_the_stems_of_the_oracle(text):
    check(text)


@pytest.mark.skipif(not BENCH.exists(), reason="no shared data")
def test_real_text_has_the_stems_of_the_oracle():
    for text in pl.read_parquet(BENCH)["text"].sample(60, seed=3):
        check(text[:3000])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000.50", "1000.5"),
        ("twelve", "12"),
        ("twice", "2.0"),
        ("numList", "num_list"),
        ("buying", "buys"),
        ("OPERATIONS", "operation"),
    ],
)
def test_what_rephrasing_changes_is_one_stem(one, other):
    assert kernel_stems(one)[1].tolist() == kernel_stems(other)[1].tolist()


@pytest.mark.parametrize(
    ("one", "other"), [("1,0000", "10000"), ("1.5", "15"), ("is", "i"), ("10", "100")]
)
def test_what_means_something_else_is_not(one, other):
    assert kernel_stems(one)[1].tolist() != kernel_stems(other)[1].tolist()


def documentation(program):
    data = np.frombuffer(program.encode(), np.uint8)
    out = np.zeros(2 * len(data) + 2, np.uint8)
    n = code_kernel.documentation(data, 0, len(data), out)
    return out[:n].tobytes().decode().split("\n")[:-1]


def skeleton(program):
    data = np.frombuffer(program.encode(), np.uint8)
    out = np.zeros(len(data) + 1, np.uint64)
    return out[: code_kernel.skeleton(data, 0, len(data), out)].tolist()


def programs():
    if not HUMANEVAL.exists():
        return []
    rows = gzip.decompress(HUMANEVAL.read_bytes()).splitlines()
    return [(r := json.loads(row))["prompt"] + r["canonical_solution"] for row in rows]


@pytest.mark.skipif(not HUMANEVAL.exists(), reason="no shared data")
def test_programs_have_the_documentation_and_the_skeleton_of_the_oracle():
    meaning = {}
    for program in programs():
        assert documentation(program) == oracle.documentation(program)
        found, expected = skeleton(program), oracle.skeleton(program)
        assert len(found) == len(expected)
        for token, name in zip(found, expected, strict=True):
            assert meaning.setdefault(name, token) == token
    assert len(set(meaning.values())) == len(meaning)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab1 \n\"'/*#=!<>-.([,"), max_size=40))
def test_any_program_has_them(program):
    assert documentation(program) == oracle.documentation(program)
    assert len(skeleton(program)) == len(oracle.skeleton(program))


PYTHON = '''def add_up(numbers):
    """Return the sum of all even numbers in the list."""
    return sum([n for n in numbers if n % 2 == 0])
'''
JAVASCRIPT = """/* Return the sum of all even numbers in the list. */
function addUp(numbers) {
    return sum([n for n in numbers if n % 2 === 0]);
}
"""


def test_languages_differ_in_names_and_signs_that_do_not_count():
    assert documentation(PYTHON) == [" Return the sum of all even numbers in the list. ".strip()]
    assert documentation(JAVASCRIPT)[0].strip() == documentation(PYTHON)[0]
    expression = oracle.skeleton("return sum([n for n in numbers if n % 2 == 0])")
    assert skeleton("n % 2 === 0") == skeleton("k % 3 == 1")
    assert oracle.skeleton("sum([n for n in numbers if n % 2 === 0])") == expression[1:]
