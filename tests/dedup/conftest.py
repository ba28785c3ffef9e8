"""Real text to test on: the documentation that installed packages carry in their metadata."""

from __future__ import annotations

from importlib import metadata

import polars as pl
import pytest
from shared_data import DATA

BENCH = DATA / "bench/text-8000.parquet"


@pytest.fixture(scope="session")
def package_descriptions() -> list[str]:
    """Return the long descriptions of the installed packages, sorted, one of each."""
    texts = {str(dist.metadata.json.get("description", "")) for dist in metadata.distributions()}
    return sorted(text for text in texts if len(text) > 200)


@pytest.fixture(scope="session")
def bench_texts() -> list[str]:
    """Return 400 documents spread over the benchmark corpus, none if it is not here."""
    if not BENCH.exists():
        return []
    return pl.read_parquet(BENCH, columns=["text"])["text"].gather_every(20).to_list()
