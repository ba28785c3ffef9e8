"""Real text to compare kernels and oracles on: what is installed, and the bench corpus."""

from __future__ import annotations

from importlib import metadata

import polars as pl
import pytest
from shared_data import DATA

BENCH = DATA / "bench/text-8000.parquet"
HAND_WRITTEN = (
    "",
    " \n\n\t ",
    "\n",
    "one",
    "the, (be) to's and\u00a0of\u3000that",
    "- a\n\u2022 b\n  - c\nd...\ne \u2026 \n. . .\n......",
    "!!! ... ### \u2014 ?!",
    "\U0001f600 \U0001f600 \U0001f600\u2764\ufe0f end",
    "東京は日本の首都です。\n東京は日本の首都です。",
    "a\r\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i\x1fj",
    "a a a a a a a a a a a a a a a a a a a a a a a a",
    "ab c a bc ab c a bc",
    "\n\npara one\n\npara one\n\n\npara two\n \npara one\n",
    "x" * 100_000,
    "the be\n" * 3_000,
)


@pytest.fixture(scope="session")
def installed() -> list[str]:
    """Give the long descriptions of installed packages, hand-written texts before them."""
    found = {d.name: d.metadata.json.get("description") or "" for d in metadata.distributions()}
    texts = [str(found[name])[:20_000] for name in sorted(found) if found[name]]
    assert len(texts) > 20, "the installed packages describe themselves"
    return [*HAND_WRITTEN, *texts[:60]]


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    """Give a sample of the bench corpus."""
    if not BENCH.is_file():
        pytest.skip(f"{BENCH} is not on this machine")
    return pl.read_parquet(BENCH, columns=["text"])["text"].gather_every(53).to_list()
