"""A page's tables: views into buffers that one thread uses again for every page.

Not here: what is measured over them, and what becomes of it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ELEMENTS: Final = 1_000_000
MAX_BLOCKS: Final = 200_000
_SMALL: Final = 4 << 20  # bytes of html whose buffers are kept between pages
_LOCAL: Final = threading.local()


class Scanned(NamedTuple):
    """What `scan_kernel.scan` found; valid until the thread scans its next page."""

    html: NDArray[np.uint8]
    text: NDArray[np.uint8]
    blocks: NDArray[np.int32]  # (blocks, N_COLUMNS)
    tags: NDArray[np.uint8]  # of elements, like the next five
    parents: NDArray[np.int32]
    flags: NDArray[np.uint32]
    signatures: NDArray[np.uint64]
    class_from: NDArray[np.int32]
    class_to: NDArray[np.int32]
    classes: NDArray[np.int32]  # hashed words of class, id, role, itemprop
    hashes: NDArray[np.int32]  # hashed words of blocks, the first 40 of each
    facts: NDArray[np.int64]  # kind, key span, value span
    max_depth: int  # no element lies deeper; those below the tables' depth are left out of them
    status: int


def scan(utf8: bytes) -> Scanned:
    """Scan a page of valid UTF-8. Cost: 2 ns a byte; memory: up to 20 bytes a byte, for large pages freed with it."""
    from curation_dagster.ingest.blocks import scan_kernel

    html = np.frombuffer(utf8, np.uint8)
    buffers = _buffers(len(utf8))
    *counts, deeper, status = scan_kernel.scan(html, *buffers)
    n_blocks, n_elements, n_facts, n_classes, n_text = counts
    text, blocks, *elements, classes, hashes, facts = buffers
    n_hashes = int(blocks[n_blocks - 1, scan_kernel.LAST_HASH]) if n_blocks else 0
    return Scanned._make(
        (
            html,
            text[:n_text],
            blocks[:n_blocks],
            *(column[:n_elements] for column in elements),
            classes[:n_classes],
            hashes[:n_hashes],
            facts[:n_facts],
            scan_kernel.MAX_DEPTH + deeper,
            status,
        )
    )


def _buffers(n_bytes: int) -> tuple[NDArray[Any], ...]:
    kept: tuple[NDArray[Any], ...] | None = getattr(_LOCAL, "buffers", None)
    if kept is not None and n_bytes <= _SMALL:
        return kept
    size = max(n_bytes, _SMALL)
    made = _allocated(size)
    if size == _SMALL:
        _LOCAL.buffers = made
    return made


def _allocated(size: int) -> tuple[NDArray[Any], ...]:
    from curation_dagster.ingest.blocks import scan_kernel

    elements = min(size // 3 + 16, MAX_ELEMENTS)
    return (
        np.empty(size + 64, np.uint8),
        np.empty((min(size // 4 + 16, MAX_BLOCKS), scan_kernel.N_COLUMNS), np.int32),
        np.empty(elements, np.uint8),
        np.empty(elements, np.int32),
        np.empty(elements, np.uint32),
        np.empty(elements, np.uint64),
        np.empty(elements, np.int32),
        np.empty(elements, np.int32),
        np.empty(size // 3 + 16, np.int32),
        np.empty(size // 2 + 16, np.int32),
        np.empty((scan_kernel.MAX_FACTS, 5), np.int64),
    )
