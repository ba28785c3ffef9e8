"""`curate benchmarks`: listed, counted, refused; the n-grams that many documents have."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from typing import TYPE_CHECKING

import polars as pl
import pytest
from shared_data import DATA

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = """
[decontaminate]
steps = ["exact", "ngrams"]
[decontaminate.exact]
min_bits = 20
[decontaminate.ngrams]
terms = 5
[[decontaminate.benchmarks]]
name = "wicks"
version = "1.1"
licence = "CC-BY-4.0"
language = "en"
file = { path = "items.jsonl" }
question = ["ask"]
choices = ["options.text"]
"""
ROWS = [
    {"ask": "How many wicks does the keeper of the light trim?", "options": [{"text": "six"}, {"text": "nine"}]},
    {"ask": "Why?", "options": [{"text": "yes"}, {"text": "no"}]},
    {"ask": None, "options": None},
]  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    path = tmp_path / "some.toml"
    path.write_text(RECIPE)
    return path


def test_benchmarks_are_listed(curate, recipe: Path) -> None:
    said = curate("benchmarks", recipe)
    assert said.exit_code == 0, said.output
    digest = hashlib.sha256((recipe.parent / "items.jsonl").read_bytes()).hexdigest()
    assert said.stdout.splitlines() == [
        "wicks: 3 items (1.1, CC-BY-4.0, en, prose, drop)",
        "  parts: question 2 (median 5.5 terms), choices 2 (median 2 terms)",
        "  n-grams: 6",
        "  undetectable: 2 by all steps; by exact 2, ngrams 2",
        f"  sha256: {digest}",
    ]
    again = curate("benchmarks", "list", recipe)
    assert again.stdout == said.stdout


def test_as_json_and_what_cannot_be_found(curate, recipe: Path) -> None:
    (row,) = json.loads(curate("benchmarks", recipe, "--json").stdout)
    assert row["undetectable"] == {"exact": 2, "ngrams": 2, "all steps": 2}
    assert (row["items"], row["ngrams"], row["licence"]) == (3, 6, "CC-BY-4.0")
    assert row["parts"]["question"] == {"items": 2, "median_terms": 5.5}
    assert curate("benchmarks", recipe, "--undetectable").stdout == "wicks/1\nwicks/2\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"ask"', '"asks"', "items.jsonl has no field 'asks' (question); found ['ask', 'options']"),
        (
            '"options.text"',
            '"options.of"',
            "no field 'options.of' (choices); found ['options.text']",
        ),
        ('"items.jsonl"', '"item.jsonl"', "item.jsonl"),
        ("question = ", "text_fields = ", 'write question = ["question"]'),
    ],
)
def test_what_is_wrong_is_said(curate, recipe: Path, old: str, new: str, says: str) -> None:
    recipe.write_text(recipe.read_text().replace(old, new))
    said = curate("benchmarks", recipe)
    assert said.exit_code == 2
    assert says in said.stderr


def test_help_names_the_commands(curate) -> None:
    assert "common" in curate("benchmarks", "--help").stdout


def test_common_ngrams_are_written_and_ignored(curate, recipe: Path, tmp_path: Path) -> None:
    texts = ["The keeper of the light trims it.", "A keeper of the light, TRIM of course"] * 2
    texts += ["How many wicks does the lamp have", None]
    docs = tmp_path / "docs.parquet"
    pl.DataFrame({"doc_id": [str(i) for i in range(len(texts))], "text": texts}).write_parquet(docs)
    target = tmp_path / "common.txt"
    said = curate("benchmarks", "common", recipe, docs, target, "--max-documents", 1)
    assert said.exit_code == 0, said.output
    assert target.read_text() == "keeper of the light trim\nthe keeper of the light\n"
    recipe.write_text(
        recipe.read_text().replace("terms = 5", 'terms = 5\nignore = { path = "common.txt" }')
    )
    assert "n-grams: 4" in curate("benchmarks", recipe).stdout


GSM8K, STATIC = DATA / "benchmarks/gsm8k-test.jsonl.gz", DATA / "models/static-embedding"


@pytest.mark.skipif(not (GSM8K.exists() and STATIC.exists()), reason="no shared data")
def test_calibrate_prints_thresholds_of_rare_terms_and_rerank(curate, tmp_path: Path) -> None:
    with gzip.open(GSM8K, "rt", encoding="utf-8") as lines:
        (tmp_path / "some.jsonl").write_text("".join(next(lines) for _ in range(100)))
    clean = pl.DataFrame({"doc_id": ["a", "b"], "text": ["A lamp on a shelf.", "Rain, again."]})
    clean.write_parquet(tmp_path / "clean.parquet")
    recipe = tmp_path / "some.toml"
    recipe.write_text(f"""
[decontaminate]
steps = ["rare_terms", "rerank"]
[decontaminate.rerank.static_model]
weights = {{ path = "{STATIC.resolve() / "model.safetensors"}" }}
tokenizer = {{ path = "{STATIC.resolve() / "tokenizer.json"}" }}
[[decontaminate.benchmarks]]
name = "gsm8k"
kind = "math"
file = {{ path = "some.jsonl" }}
answer = ["answer"]
question = ["question"]
""")
    said = curate("benchmarks", "calibrate", recipe, "--clean", tmp_path / "clean.parquet")
    assert said.exit_code == 0, said.output
    chosen = tomllib.loads(said.stdout)["decontaminate"]
    assert list(chosen) == ["rare_terms", "rerank"]
    assert all(0 < section["math"] < 1 for section in chosen.values())
    assert said.stdout.count("# math: gsm8k, 100 negatives") == 2
    assert said.stdout.count("# math: clean text, 2 negatives") == 2
