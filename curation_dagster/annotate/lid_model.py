"""Read a fastText supervised model (Joulin et al., 2016, arXiv:1607.01759) into arrays for `language_kernel`.

The file (version 12 of fastText's own format, little endian): arguments, dictionary, input matrix,
output matrix, each matrix dense or product-quantized (Joulin et al., 2016, arXiv:1612.03651).
Quantized rows are decoded here, once; memory is 4 bytes a number: 3 MB for lid.176.ftz, as much as the
file for a dense one. Not here: models over word n-grams, and losses other than hierarchical
softmax and softmax; `Header.is_compiled` says which those are.
"""

from __future__ import annotations

import contextlib
import mmap
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC, VERSION, NO_SUBWORDS_VERSION = 793712314, 12, 11
HIERARCHICAL_SOFTMAX, SOFTMAX, SUPERVISED = 1, 3, 3
EOS: Final = b"</s>"
LABEL: Final = "__label__"
_CENTROIDS = 256
_MANY = 10**15  # the count of a tree node that is not made yet
_NUMBERS = (  # the arguments in the file's order, 4 bytes each
    "dim", "ws", "epoch", "min_count", "neg", "word_ngrams", "loss", "model", "bucket", "minn",
    "maxn", "lr_update_rate",
)  # fmt: skip


class Header(NamedTuple):
    """What of a model's arguments matters after training."""

    dim: int
    word_ngrams: int
    loss: int
    bucket: int
    minn: int
    maxn: int

    @property
    def is_compiled(self) -> bool:
        """Say whether `language_kernel` can compute this model."""
        return self.word_ngrams == 1 and self.loss in {HIERARCHICAL_SOFTMAX, SOFTMAX}


class Tables(NamedTuple):
    """A model as the kernel reads it. The row of a word is its id, that of a bucket `words + pruned[bucket]`."""

    entries: NDArray[np.uint8]  # words, then labels, end to end
    ends: NDArray[np.int64]  # where each begins, and the end of the last
    seats: NDArray[np.int32]  # hash table over them: id or -1
    words: int
    eos: int  # id of the end of a line, or -1
    bucket: int
    shift: int
    reciprocal: int  # 2 ** shift // bucket, at most 2 ** 32
    minn: int
    maxn: int
    pruned: NDArray[np.int32]  # bucket -> kept bucket; empty: all are kept
    kept: NDArray[np.uint8]  # a bit a bucket
    rows: NDArray[np.float32]  # (words and buckets, dim)
    output: NDArray[np.float32]  # tree: (inner nodes, dim); softmax: (dim, labels)
    left: NDArray[np.int32]  # the tree, leaves first; empty: softmax over all labels
    right: NDArray[np.int32]


class Model(NamedTuple):
    """A model: its labels without `__label__`, in the kernel's numbering, and its tables."""

    labels: tuple[str, ...]
    tables: Tables


def read_header(path: Path) -> Header:
    """Read a model's arguments: the first 64 bytes.

    Raises:
        RecipeError: the file is not a supervised fastText model of a version that is known.
    """
    with path.open("rb") as stream:
        head = stream.read(8 + 4 * len(_NUMBERS) + 8)
    return _header(head, path)


def load(path: Path) -> Model:
    """Read a whole model.

    Raises:
        RecipeError: not a model, one that `Header.is_compiled` rules out, or a damaged one.
    """
    header = read_header(path)
    if not header.is_compiled:
        msg = (
            f"{path}: expected one word n-gram and loss softmax or hierarchical softmax, found "
            f"{header}; next: `language` asks the fasttext library for such a model"
        )
        raise RecipeError(msg)
    with _behind_header(path) as data:
        return _model(data, header, path)


def labels(path: Path) -> tuple[str, ...]:
    """Read a model's labels, without `__label__`; loads no table and no kernel.

    Raises:
        RecipeError: not a model, or a damaged one.
    """
    read_header(path)
    with _behind_header(path) as data:
        _, words, _, names, _ = _entries(data, path)
    return _decoded(names[words:])


@contextlib.contextmanager
def _behind_header(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        data.seek(8 + 4 * len(_NUMBERS) + 8)
        try:
            yield data
        except (ValueError, IndexError) as error:
            raise _damaged(path, str(error)) from error


def reciprocal(bucket: int) -> tuple[int, int]:
    """Return (shift, 2 ** shift // bucket): `h * it >> shift` is h // bucket or one less, for 32 bits of h."""
    shift = 31 + bucket.bit_length()
    return shift, (1 << shift) // bucket


def _header(head: bytes, path: Path) -> Header:
    size = 8 + 4 * len(_NUMBERS) + 8
    numbers = np.frombuffer(head[: size - 8], "<i4").tolist() if len(head) == size else [0, 0]
    magic, version, *rest = numbers
    if magic != MAGIC or version not in {VERSION, NO_SUBWORDS_VERSION}:
        msg = (
            f"{path}: expected a fastText model of version {VERSION}, found other bytes; "
            "next: name a .bin or .ftz file in the recipe's step"
        )
        raise RecipeError(msg)
    said = dict(zip(_NUMBERS, rest, strict=True))
    if said["model"] != SUPERVISED:
        msg = f"{path}: expected a supervised fastText model, found word vectors; next: name a classifier"
        raise RecipeError(msg)
    if version == NO_SUBWORDS_VERSION:
        said["maxn"] = 0  # its supervised models were trained without
    return Header(**{name: said[name] for name in Header._fields})


def _model(data: mmap.mmap, header: Header, path: Path) -> Model:
    from curation_dagster.annotate.language_kernel import seat_words  # loads numba

    kept, words, label_count, names, counts = _entries(data, path)
    pruned = _pruned(_take(data, "<i4", 2 * max(kept, 0)), kept, header)
    is_quantized = bool(_take(data, "u1", 1)[0])
    rows = _matrix(data, is_quantized=is_quantized)
    output = _matrix(data, is_quantized=bool(_take(data, "u1", 1)[0]) and is_quantized)
    buckets = max(kept, 0) if len(pruned) else header.bucket
    if rows.shape != (words + buckets, header.dim) or output.shape != (label_count, header.dim):
        raise _damaged(
            path, f"matrices of {rows.shape} and {output.shape} for {len(names)} entries"
        )
    is_tree = header.loss == HIERARCHICAL_SOFTMAX
    left, right = _tree(counts[words:]) if is_tree else (np.empty(0, np.int32),) * 2
    shift, product = reciprocal(max(header.bucket, 1))
    ends = np.cumsum([0, *map(len, names)], dtype=np.int64)
    entries = np.frombuffer(bytearray(b"".join(names)), np.uint8)
    return Model(
        _decoded(names[words:]),
        Tables(
            entries=entries,
            ends=ends,
            seats=seat_words(entries, ends),
            words=words,
            eos=names.index(EOS) if EOS in names[:words] else -1,
            bucket=header.bucket,
            shift=shift,
            reciprocal=product,
            minn=header.minn,
            maxn=header.maxn if header.bucket else 0,
            pruned=pruned,
            kept=np.packbits(pruned >= 0, bitorder="little"),
            rows=rows,
            output=output if is_tree else np.ascontiguousarray(output.T),
            left=left,
            right=right,
        ),
    )


def _take(data: mmap.mmap, kind: str, count: int) -> NDArray[Any]:
    """Copy numbers from where the file stands, and go on behind them; a ValueError at its end."""
    found = np.frombuffer(data, kind, count, data.tell()).copy() if count else np.empty(0, kind)
    data.seek(found.nbytes, 1)
    return found


def _entries(data: mmap.mmap, path: Path) -> tuple[int, int, int, list[bytes], list[int]]:
    """Read how many buckets were kept, how many words and labels there are, names and counts."""
    size, words, label_count = _take(data, "<i4", 3).tolist()
    _, kept = _take(data, "<i8", 2).tolist()
    names, counts = _dictionary(data, size, words)
    if words + label_count != size or label_count < 1:
        raise _damaged(path, f"{size} entries are not {words} words and {label_count} labels")
    return kept, words, label_count, names, counts


def _decoded(names: list[bytes]) -> tuple[str, ...]:
    return tuple(name.decode("utf-8", "replace").removeprefix(LABEL) for name in names)


def _dictionary(data: mmap.mmap, size: int, words: int) -> tuple[list[bytes], list[int]]:
    """Read names and counts; words come before labels."""
    names, counts = [], []
    at = data.tell()
    for i in range(size):
        end = data.find(b"\0", at)
        names.append(data[at:end])
        counts.append(int.from_bytes(data[end + 1 : end + 9], "little"))
        if end < 0 or data[end + 9] != (i >= words):
            msg = f"entry {i} of the dictionary is of the wrong kind"
            raise ValueError(msg)
        at = end + 10
    data.seek(at)
    return names, counts


def _pruned(pairs: NDArray[np.int32], kept: int, header: Header) -> NDArray[np.int32]:
    """Make a table of the buckets that pruning left: 4 bytes a bucket."""
    if kept < 0:
        return np.empty(0, np.int32)
    table = np.full(max(header.bucket, 1), -1, np.int32)
    before, after = pairs.reshape(-1, 2).T
    if kept and (min(before.min(), after.min()) < 0 or after.max() >= kept):
        msg = "a pruned bucket outside the matrix"
        raise ValueError(msg)
    table[before] = after
    return table


def _matrix(data: mmap.mmap, *, is_quantized: bool) -> NDArray[np.float32]:
    """Read a matrix; decode a quantized one: the norm of a row times its centroids."""
    has_norms = is_quantized and bool(_take(data, "u1", 1)[0])
    rows, columns = _take(data, "<i8", 2).tolist()
    if not is_quantized:
        return _take(data, "<f4", rows * columns).reshape(rows, columns)
    codes = _take(data, "u1", int(_take(data, "<i4", 1)[0])).reshape(rows, -1)
    centroids = _centroids(data)
    matrix = np.hstack([part[codes[:, m]] for m, part in enumerate(centroids)])
    if has_norms:
        norms = _take(data, "u1", rows)
        matrix *= _centroids(data)[0][norms]
    return np.ascontiguousarray(matrix[:, :columns], np.float32)


def _centroids(data: mmap.mmap) -> list[NDArray[np.float32]]:
    """Read a product quantizer: for each part of a row, the 256 vectors it may be; the last may be narrower."""
    dim, parts, width, last = _take(data, "<i4", 4).tolist()
    flat = _take(data, "<f4", dim * _CENTROIDS)
    cut = (parts - 1) * width * _CENTROIDS
    whole = flat[:cut].reshape(parts - 1, _CENTROIDS, width)
    return [*whole, flat[cut:].reshape(_CENTROIDS, last)]


def _tree(counts: list[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Build fastText's Huffman tree: the leaves by falling count, then inner nodes, the root last."""
    leaves = len(counts)
    weights = [*counts, *[_MANY] * (leaves - 1)]
    children = np.full((2, 2 * leaves - 1), -1, np.int32)
    leaf, node = leaves - 1, leaves
    for i in range(leaves, 2 * leaves - 1):
        weights[i] = 0
        for side in range(2):
            least = leaf if leaf >= 0 and (node >= i or weights[leaf] < weights[node]) else node
            leaf, node = (leaf - 1, node) if least == leaf else (leaf, node + 1)
            children[side, i] = least
            weights[i] += weights[least]
    return children[0], children[1]


def _damaged(path: Path, what: str) -> RecipeError:
    return RecipeError(
        f"{path}: expected a whole fastText model, found: {what}; next: fetch it anew"
    )
