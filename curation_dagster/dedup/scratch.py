"""Memory of a bounded size: arrays that move to disk, and records grouped by key in runs that fit.

Nothing here knows what the records are. Files lie in one folder, which the caller removes.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike, NDArray

MAX_RUNS = 256  # open files
_SORTING = 4  # bytes a sorter needs for each byte of a run


class Scratch:
    """Hands out arrays: in memory while the budget lasts, as mapped files after that."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        """Use `folder` for what does not fit; half of the memory is for arrays, half for work on runs."""
        self.folder = folder
        self.work_bytes = memory_bytes // 2
        self._left = memory_bytes // 2
        self._files = 0
        self._open = ExitStack()
        self.spilled_bytes = 0

    @classmethod
    @contextmanager
    def beside(cls, folder: Path | None, memory_gb: float) -> Iterator[Scratch]:
        """Use a new folder in `folder` (default: the system's), which is removed at the end."""
        with tempfile.TemporaryDirectory(dir=folder) as inside:
            scratch = cls(Path(inside), int(memory_gb * (1 << 30)))
            with scratch._open:
                yield scratch

    def path(self) -> Path:
        """Name a new file."""
        self._files += 1
        return self.folder / f"{self._files:06d}.bin"

    def open(self, path: Path) -> IO[bytes]:
        """Open a file to write, which is closed at the end at the latest."""
        return self._open.enter_context(path.open("wb"))

    def array(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros."""
        n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if n_bytes <= self._left or not n_bytes:
            self._left -= n_bytes
            return np.zeros(shape, dtype)
        self.spilled_bytes += n_bytes
        return np.memmap(self.path(), dtype, "w+", shape=shape)


class Runs:
    """Records of a 64-bit key and values, put into runs by the key's highest bits.

    All records of one key are in one run, and a run fits into `scratch.work_bytes` with what sorting it needs - unless
    one key is that frequent. Keys are evenly spread from 0 to `key_end`, as hashes are; runs come in ascending order.
    """

    def __init__(
        self, scratch: Scratch, dtype: np.dtype[Any], expected: int, *, key_end: int = 1 << 64
    ) -> None:
        """Prepare for about `expected` records of a structured type whose first field is `key`."""
        self._scratch = scratch
        self._dtype = dtype
        needed = expected * dtype.itemsize * _SORTING
        runs = min(-(-needed // scratch.work_bytes), MAX_RUNS) if scratch.work_bytes else MAX_RUNS
        self._shift = max(key_end.bit_length() - 33, 0)  # 32 bits of a key say where it belongs
        self._tops = ((key_end - 1) >> self._shift) + 1
        self._held: list[NDArray[Any]] = []
        self._files = [scratch.path() for _ in range(runs)] if runs > 1 else []
        self._open = [scratch.open(path) for path in self._files]

    def add(self, records: NDArray[Any]) -> None:
        """Take records in."""
        if not self._files:
            self._held.append(records)
            return
        tops = records["key"] >> np.uint64(self._shift)
        run = (tops * np.uint64(len(self._files)) // np.uint64(self._tops)).astype(np.uint8)
        by_run = np.argsort(run, kind="stable")
        ends = np.cumsum(np.bincount(run, minlength=len(self._open)))
        records = records[by_run]
        for number, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            self._open[number].write(records[begin:end].tobytes())
        self._scratch.spilled_bytes += records.nbytes

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield the runs, by the key's highest bits; each is let go, from disk too, with the next."""
        for stream in self._open:
            stream.close()
        if not self._files:
            held, self._held = self._held, []
            yield np.concatenate(held) if held else np.empty(0, self._dtype)
        for path in self._files:
            yield np.fromfile(path, self._dtype)
            path.unlink()
