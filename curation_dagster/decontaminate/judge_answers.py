"""The answers of the judge: a file the recipe names, read by `scanned` and written by `curate benchmarks judge`.

JSONL, a line an answer, sorted by key: the same answers are the same bytes. While questions are asked, every answer is
one write to a journal beside the file; a line that a crash cut short is passed over. At the end, and before the next
time, journal and file become a new file, by rename. An answer that is there is never replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

JOURNAL: Final = ".journal"


@dataclass(frozen=True)
class Answer:
    """Whether a passage holds an item, by which model and prompts; benchmark and item are for readers."""

    key: str
    same: bool
    model: str
    prompts: str
    question: str
    benchmark: str
    item: str

    @property
    def line(self) -> str:
        """Write it as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def read(path: Path) -> dict[str, Answer]:
    """Read the answers by key; a missing file holds none.

    Raises:
        RecipeError: for a line that is no answer, or two that contradict each other.
    """
    answers: dict[str, Answer] = {}
    for number, line in enumerate(_lines(path), 1):
        answer = _parsed(line)
        if answer is None:
            msg = f"{path}: line {number} is no answer of the judge; remove the line or the file"
            raise RecipeError(msg)
        if answers.setdefault(answer.key, answer).same is not answer.same:
            msg = f"{path}: line {number} contradicts an earlier answer to {answer.key}; remove one"
            raise RecipeError(msg)
    return answers


class Writer:
    """Add answers to a file, as a context; the journal's lines survive a crash."""

    def __init__(self, path: Path) -> None:
        """Say which file."""
        self._path, self._journal = path, path.with_name(path.name + JOURNAL)

    def __enter__(self) -> Self:
        """Open the journal and take in what an interrupted run left.

        Raises:
            RecipeError: while another process adds to the same file.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(self._handle).st_ino == self._journal.stat().st_ino
        except OSError:  # locked, or its owner has just removed it
            mine = False
        if not mine:
            os.close(self._handle)
            msg = f"{self._path}: another process is adding answers; wait for it"
            raise RecipeError(msg)
        self._merge()
        os.ftruncate(self._handle, 0)
        return self

    def add(self, answer: Answer) -> None:
        """Write one answer, in one call."""
        os.write(self._handle, (answer.line + "\n").encode())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Make file and journal one."""
        self._merge()
        self._journal.unlink()
        os.close(self._handle)

    def _merge(self) -> None:
        known = read(self._path)
        before = len(known)
        for answer in filter(None, map(_parsed, _lines(self._journal))):
            known.setdefault(answer.key, answer)
        if len(known) > before:
            write(self._path, known)


def write(path: Path, answers: Mapping[str, Answer]) -> None:
    """Write answers whole, or leave what is there."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with draft.open("wb") as stream:
        stream.writelines((answers[key].line + "\n").encode() for key in sorted(answers))
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def _lines(path: Path) -> Iterable[bytes]:
    return path.read_bytes().splitlines() if path.exists() else ()


def _parsed(line: bytes) -> Answer | None:
    try:
        said = json.loads(line)
        answer = Answer(**said)
    except (ValueError, TypeError, RecursionError):
        return None
    return answer if isinstance(answer.same, bool) and isinstance(answer.key, str) else None
