"""WARC (ISO 28500) and ARC (Internet Archive, 1996) records, with every stored byte accounted for.

`records` yields a row for every record and for every damaged range; their lengths add up to the size of
the file whatever it holds. After damage reading goes on at the next record. What follows a block must be
a record, the end of its gzip member, or the end of the file: if not, its Content-Length is wrong, and the next
record is looked for inside it. How files are compressed is `container`'s; what a block holds is the caller's.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from curation_dagster.ingest.container import Container, Mark, Piece, Window
from curation_dagster.ingest.record_head import (
    WARC_LINE,
    ArcLine,
    Head,
    arc_head,
    arc_line,
    begins,
    block_length,
    warc_fields,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEPT: Final = frozenset({"response", "conversion", "resource"})
_NEXT: Final = re.compile(rb"WARC/[01]\.\d{1,4}[ \t]*\r?\n(?=[A-Za-z\-]{1,40}[ \t]*:)")
_NEXT_ARC: Final = re.compile(rb"\n(?=[a-z][a-z0-9+.\-]{1,15}:[^\n])")
_HEAD_END: Final = re.compile(rb"\n(?:\r?\n|(?=WARC/[01]\.\d{1,4}[ \t]*\r?\n))")
_PADDING: Final = re.compile(rb"[\r\n \t\0]*")
_END: Final = re.compile(rb"\r\n\r\n|\n\n")
_END_ARC: Final = re.compile(rb"\n[a-z][a-z0-9+.\-]{1,15}:")
_MAX_HEAD: Final = 256 << 10
_MAX_LINE: Final = 8 << 10
_AHEAD: Final = 64  # enough for the first line of a record
_BLUR: Final = 32  # stored bytes: how well it is known where damage begins
_MAX_PADDING: Final = 4096  # between records; more is a hole
_NONE: Final[Mapping[str, str]] = {}


class Record(NamedTuple):
    """A record, or a damaged range (its kind is empty). Over a file the lengths add up to its size."""

    offset: int  # where its gzip member or zstd frame begins; where it begins when not compressed
    length: int  # stored bytes up to the next record; an estimate when records share a member
    unpacked: int  # decompressed bytes
    kind: str  # WARC-Type in lower case; of ARC "filedesc", "response" or "resource"
    headers: Mapping[str, str]  # names in lower case; the first value wins
    block: bytes  # empty when its kind is not wanted
    trouble: str | None = None  # why it is damaged
    too_large: bool = False  # the block is longer than the cap, and not complete
    within: int = 0  # how many decompressed bytes into its member or frame it begins


def records(
    stream: Any,  # noqa: ANN401 - local, or of any file system
    size: int,
    max_block_bytes: int,
    *,
    keep: frozenset[str] = KEPT,
) -> Iterator[Record]:
    """Yield the records and the damaged ranges of a seekable file, in order; content raises nothing.

    Adjoining damage is one row. Memory: three blocks of at most `max_block_bytes`, and a few pieces.

    Raises:
        OSError: from the stream.
    """
    held: Record | None = None  # where it ends is known when the next one begins
    start = 0
    for record in _Reader(Container(stream, size, begins), max_block_bytes, keep).read():
        if held is None:
            held = record
        elif held.trouble and record.trouble and not record.headers:
            held = held._replace(unpacked=held.unpacked + record.unpacked)
        else:
            end = max(record.length, start)  # `read` gives where a record begins
            yield Record(held.offset, end - start, *held[2:])
            held, start = record, end
    if held:
        yield held._replace(length=size - start)
    elif size:
        yield Record(0, size, 0, "", _NONE, b"", "no record found")


class _Reader:
    """Where reading stands in a window, and what kind of archive it is."""

    def __init__(self, container: Container, max_block_bytes: int, keep: frozenset[str]) -> None:
        self._window = Window(container)
        self._at = 0
        self._is_arc: bool | None = None  # None until the first record
        self._max_block_bytes = max_block_bytes
        self._keep = keep
        self._floor: int | None = None  # where the damage begins that reading is in

    def read(self) -> Iterator[Record]:
        """Yield records and damage; `length` holds the stored byte where each begins."""
        window = self._window
        while True:
            begin, place = self._at, window.place(self._at)
            self._skip_padding()
            if self._at - begin > _MAX_PADDING and self._at < window.end:
                yield self._damage(begin, place, f"a hole of {self._at - begin} bytes")
            if self._at < window.end:
                yield self._record()
                continue
            if window.trouble:
                place = window.place(self._at)
                yield self._damage(self._at, place, window.trouble.trouble or "")
            if not window.trouble or not self._resume(window.trouble):
                break
        container = window.container
        if container.end < container.size:
            why = f"the file ends {container.size - container.end} bytes before its size"
            yield self._damage(self._at, (container.end, container.end, 0), why)

    def _resume(self, broken: Piece) -> bool:
        """Go on at the next member. Damage may begin before it shows, so the search begins where its record does."""
        container = self._window.container
        low = max(broken.resume, (self._floor or 0) - _BLUR)
        container.effort -= max(broken.end - low, 0)
        if container.effort <= 0:
            low = max(low, broken.start)
        found = container.find(low)
        if found is not None:
            self._window.open(found, self._at)
        return found is not None

    def _skip_padding(self) -> None:
        window = self._window
        while True:
            match = _PADDING.match(window.data, self._at - window.base)
            self._at = match.end() + window.base if match else self._at
            if self._at < window.end or not window.fill(self._at):
                return

    def _record(self) -> Record:
        begin, window = self._at, self._window
        place = window.place(begin)
        head = self._head(begin)
        if head is None:
            self._seek(begin + 1)
            return self._damage(begin, place, "no record where one should begin")
        if head.trouble:
            self._seek(head.end)
            return self._damage(begin, place, head.trouble, head.headers)
        end = head.end + head.length
        held = min(head.length, self._max_block_bytes)
        why = self._whole(end) or self._through(head.end, head.end + held, begin)
        block, nearest = b"", None
        if not why and held < head.length:
            block, why, nearest = self._large(head, held)
        why = why or self._after(end, head)
        if why:
            self._leave(head.end, nearest)
            return self._damage(begin, place, why, head.headers)
        if held == head.length and head.kind in self._keep:
            block = window.copy(head.end, held)
        self._at, self._floor = end, None
        size, large = end - begin, held < head.length
        stored, offset, within = place
        return Record(offset, stored, size, head.kind, head.headers, block, None, large, within)

    def _damage(
        self, begin: int, place: tuple[int, int, int], why: str, headers: Mapping[str, str] = _NONE
    ) -> Record:
        stored, offset, within = place
        if self._floor is None:
            self._floor = stored
        return Record(offset, stored, self._at - begin, "", headers, b"", why, within=within)

    def _whole(self, end: int) -> str | None:
        """Tell at once when a file that is not compressed is too short for a block."""
        container = self._window.container
        if container.form != "plain" or end <= container.end:
            return None
        return f"cut short, or Content-Length is wrong: {end - container.end} bytes are missing"

    def _through(self, begin: int, end: int, keep: int) -> str | None:
        """Get a block to hand; return why that fails."""
        window, low = self._window, begin
        while True:
            cut = self._opened_between(low, end)
            if cut is not None or window.end >= end:
                break
            low = window.end
            if not window.fill(keep):
                cut = window.end
                break
        return None if cut is None else self._lacking(end - cut)

    def _large(self, head: Head, held: int) -> tuple[bytes, str | None, tuple[int, Mark] | None]:
        """Hold the beginning of a block, pass the rest: (beginning, why that fails, a record that may begin in it).

        Trade-off: where going back has cost too much before, what seems to be a record is taken for one.
        """
        window = self._window
        if window.container.effort <= 0:
            found = self._find(head.end, head.end, window.end)
            if found is not None and found < head.end + head.length:
                why = "a record begins in the block of another"
                return b"", why, (found, window.mark(found))
        block = window.copy(head.end, held) if head.kind in self._keep else b""
        return block, *self._past(head.end, head.end + head.length)

    def _past(self, begin: int, end: int) -> tuple[str | None, tuple[int, Mark] | None]:
        """Pass a block too large to hold; return why that fails, and the first record that seems to begin in it."""
        window, low, fresh, nearest = self._window, begin, begin, None
        while True:
            cut = self._opened_between(fresh, end)
            found = self._find(low, fresh, min(window.end, end)) if nearest is None else None
            if found is not None:
                nearest = found, window.mark(found)
            if cut is not None or window.end >= end:
                break
            if nearest and window.container.effort <= 0:
                return "a record begins in the block of another", nearest
            low, fresh = max(low, self._tail()), window.end
            if not window.fill(low - 1):
                cut = window.end
                break
        return None if cut is None else self._lacking(end - cut), nearest

    def _lacking(self, size: int) -> str:
        broken = self._window.trouble
        why = f"cut short, or Content-Length is wrong: {size} bytes are missing"
        return f"{broken.trouble}; {why}" if broken else why

    def _after(self, end: int, head: Head) -> str | None:
        """Check what follows a block; return why it cannot be."""
        window = self._window
        while True:
            match = _PADDING.match(window.data, end - window.base)
            rest = match.end() + window.base if match else end
            closed = bisect_left(window.closes, end)
            if closed < len(window.closes) and window.closes[closed] <= rest:
                return None  # the end of its member
            if rest - end > _MAX_PADDING or (rest < window.end and self._starts(rest)):
                return None
            if window.end - rest >= (_MAX_LINE if self._is_arc else _AHEAD):
                break
            if not window.fill(head.end):
                if rest == window.end:
                    return window.trouble.trouble if window.trouble else None
                break
        if (_END_ARC if self._is_arc else _END).match(window.data, end - window.base):
            return None  # what follows is damaged, but the record is whole
        return f"Content-Length {head.length} is wrong: no record follows"

    def _leave(self, begin: int, nearest: tuple[int, Mark] | None) -> None:
        """Go to the first record in a block or behind it, after its length turned out wrong."""
        window = self._window
        if nearest is None:
            self._seek(max(begin, window.base))
            return
        window.container.spend(0, min(self._max_block_bytes, window.end - begin))
        self._at = nearest[0]
        if self._at < window.base:
            window.back_to(*nearest)

    def _seek(self, low: int) -> None:
        """Go to the first record that begins at a position or behind it; else to damage or to the end."""
        window, fresh = self._window, low
        while (found := self._find(low, fresh, window.end)) is None:
            low, fresh = max(low, self._tail()), window.end
            if not window.fill(low - 1):
                self._at = window.end
                return
        self._at = found

    def _tail(self) -> int:
        """Return the position from which on a record may begin whose first line is not yet at hand."""
        window = self._window
        first = max(window.end - window.base - _MAX_LINE, 0)
        newline = window.data.rfind(b"\n", first)
        line = window.base + (newline + 1 if newline >= 0 else first)
        return max(min(line, window.end - _AHEAD), window.base)

    def _find(self, low: int, fresh: int, high: int) -> int | None:
        """Find a record that begins in a range at hand; members that begin before `fresh` were looked at."""
        window, found = self._window, high
        first = max(low - 1 - window.base, 0)
        if not self._is_arc and (match := _NEXT.search(window.data, low - window.base)):
            found = min(found, match.start() + window.base)
        if self._is_arc is not False:
            for match in _NEXT_ARC.finditer(window.data, first, found - window.base):
                if self._starts(match.end() + window.base):
                    found = match.end() + window.base
                    break
        opened = self._opened_between(fresh, found)
        found = found if opened is None else opened
        return found if found < high else None

    def _opened_between(self, low: int, high: int) -> int | None:
        """Find a member that begins with a record."""
        opens = self._window.opens
        index = bisect_left(opens, low)
        return opens[index] if index < len(opens) and opens[index] < high else None

    def _starts(self, position: int) -> bool:
        window = self._window
        first = position - window.base
        if not self._is_arc and WARC_LINE.match(window.data, first):
            return True
        return self._is_arc is not False and self._line(first) is not None

    def _line(self, first: int) -> ArcLine | None:
        end = self._window.data.find(b"\n", first, first + _MAX_LINE) + 1
        return arc_line(bytes(self._window.data[first:end])) if end else None

    def _head(self, begin: int) -> Head | None:
        """Read the header at a position, if one begins there."""
        window = self._window
        while True:
            if not self._is_arc and WARC_LINE.match(window.data, begin - window.base):
                self._is_arc = False
                return self._warc_head(begin)
            if self._is_arc is not False and (line := self._line(begin - window.base)):
                self._is_arc = True
                return arc_head(line, begin)
            if window.end - begin >= _MAX_LINE or not window.fill(begin):
                return None

    def _warc_head(self, begin: int) -> Head:
        window, low = self._window, begin
        while (match := _HEAD_END.search(window.data, low - window.base)) is None:
            low = max(begin, window.end - _AHEAD)
            if window.end - begin > _MAX_HEAD or not window.fill(begin):
                break
        end = match.end() + window.base if match else window.end
        cut = self._opened_between(begin + 1, end)
        fields = warc_fields(window.copy(begin, (cut or end) - begin))
        if cut or not match or len(match.group()) == 1:
            return Head("", fields, cut or end, 0, "cut short: a header without end")
        kind = fields.get("warc-type", "").lower() or "unknown"
        return Head(kind, fields, end, *block_length(fields.get("content-length")))
