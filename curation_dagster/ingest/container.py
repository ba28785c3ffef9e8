"""Compressed files as decompressed pieces that know their stored bytes: gzip (RFC 1952), zstd (RFC 8878), plain.

A file is a run of gzip members or zstd frames, or is not compressed; its first bytes decide, never its
name. A zstd dictionary in a first skippable frame (IIPC, "Use of Zstandard in WARC") is used. Content
raises nothing: damage is a last piece that says why, and `find` tells where to go on. What records look like
is the caller's (`archive`). Memory: one decompressed piece, at most about 64 MiB.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import zstandard
from isal import igzip_lib

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_PIECE: Final = 1 << 20
# What goes into one call of a decompressor bounds what comes out: deflate gives 1,032 for 1, zstd 32,768.
_STEP: Final = {"gzip": 16 << 10, "zstd": 2 << 10}
_SALVAGE: Final = 16  # stored bytes a step before damage: what comes out of the last step is lost
_FIRST: Final = 64  # decompressed bytes that tell whether a record begins
_TRIAL_STEP: Final = 64
_TRIAL: Final = 512  # stored bytes to tell whether a member begins like a record
_TRIAL_MAX: Final = 192 << 10  # a block of BGZF or zstd, which need not begin with a record
_LINE: Final = 8 << 10  # stored bytes to tell whether a line begins a record
_MAX_PADDING: Final = 4096  # between members; more is a hole
_EFFORT: Final = (
    4  # how many times its size a file may be read again or tried, against hostile files
)
_EFFORT_FREE: Final = 1 << 20
_COMMON_RATIO: Final = 16
_MAX_DICTIONARY: Final = 64 << 20
_PADDING: Final = re.compile(rb"[\0\r\n]*")
_SKIPPED: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_SKIPPED_HEAD: Final = 8
_DICTIONARY: Final = b"\x5d\x2a\x4d\x18"
# gzip: no reserved flag, and an XFL that RFC 1952 knows. Of OS there are others: wget writes 19.
_MEMBER: Final = {
    "gzip": rb"\x1f\x8b\x08(?=[\x00-\x1f].{4}[\x00\x02\x04])",
    "zstd": rb"\x28\xb5\x2f\xfd",
}
_ANY: Final = b"|".join((*_MEMBER.values(), rb"\n(?=WARC/|[a-z][a-z0-9+.\-]{1,15}:)"))
_MAGIC: Final = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f": "zstd"}
_BAD: Final[tuple[type[Exception], ...]] = (igzip_lib.error, zstandard.ZstdError)  # type: ignore[assignment]


class Piece(NamedTuple):
    """Decompressed bytes, and the stored bytes they come from."""

    data: bytes
    member: int  # where the gzip member or zstd frame begins
    start: int
    end: int
    opens: bool = False  # first of its member
    closes: bool = False  # last of its member, which is sound
    trouble: str | None = None  # why nothing follows
    resume: int = 0  # where another member may begin, after trouble


class Mark(NamedTuple):
    """Where the bytes of a piece are."""

    start: int  # stored bytes of a piece
    end: int
    size: int  # decompressed bytes of it
    member: int  # where its member begins: stored, and the position
    opened: int


def _whole_frame(frame: bytes) -> bytes:
    decoder, data = zstandard.ZstdDecompressor().decompressobj(), bytearray()
    for offset in range(0, len(frame), _STEP["zstd"]):
        data += decoder.decompress(frame[offset : offset + _STEP["zstd"]])
        if decoder.eof or len(data) > _MAX_DICTIONARY:
            break
    if not decoder.eof:
        msg = f"its frame is cut, or holds more than {_MAX_DICTIONARY} bytes"
        raise zstandard.ZstdError(msg)
    return bytes(data)


class Stored:
    """The bytes of a file at any offset, read in pieces. `end` is where it ends, as far as is known."""

    def __init__(self, stream: Any, size: int) -> None:  # noqa: ANN401 - local, or of any file system
        """Start reading at the first offset asked for."""
        self.end = size
        self._stream = stream
        self._piece = memoryview(b"")
        self._start = self._stands = -1

    def at(self, offset: int, want: int) -> memoryview:
        """Return `want` bytes at an offset, fewer only at the end of the file."""
        first = offset - self._start
        view = self._piece[first : first + want] if first >= 0 else self._piece[:0]
        if len(view) == want or offset + len(view) >= self.end:
            return view
        return self._read(offset, want, bytes(self._piece[first:]) if first >= 0 else b"")

    def _read(self, offset: int, want: int, held: bytes) -> memoryview:
        parts, have = [held], len(held)
        if self._stands != offset + have:
            self._stream.seek(offset + have)
        while have < max(want, _PIECE) and offset + have < self.end:
            part = self._stream.read(min(_PIECE, self.end - offset - have))
            if not part:
                self.end = offset + have
            parts.append(part)
            have += len(part)
        self._start, self._stands = offset, offset + have
        self._piece = memoryview(b"".join(parts))
        return self._piece[:want]


class Container:
    """A file's members. `begins` tells whether bytes begin like a record."""

    def __init__(self, stream: Any, size: int, begins: Callable[[bytes], bool]) -> None:  # noqa: ANN401
        """Look at what the file begins with."""
        self.effort = _EFFORT * size + _EFFORT_FREE  # stored bytes that may yet be read again
        self.size = size
        self.begins = begins
        self._stored = Stored(stream, size)
        self._zstd = zstandard.ZstdDecompressor()
        self.form = self._form()

    @property
    def end(self) -> int:
        """Where the file ends: its size, unless it turned out to be shorter."""
        return self._stored.end

    def pieces(self, at: int) -> Iterator[Piece]:
        """Decompress from a member on to the end of the file, or to the first damage."""
        return self._plain(at) if self.form == "plain" else self._members(at)

    def find(self, at: int) -> int | None:
        """Find the next member, at or after an offset, that begins like a record or is sound."""
        for offset, _ in self._offsets(_MEMBER[self.form], at):
            if self._is_member(offset, self.form, strict=False):
                return offset
        return None

    def spend(self, stored: int, unpacked: int) -> None:
        """Account for bytes read again. Decompressed bytes weigh less, unless they are a bomb."""
        self.effort -= max(stored, unpacked // _COMMON_RATIO, 1)

    def _form(self) -> str:
        """Tell plain, gzip and zstd apart, by the first thing that begins like a record if need be."""
        head = bytes(self._stored.at(self._past_padding(0), _LINE))
        if form := _MAGIC.get(head[:3]) or ("zstd" if _SKIPPED.match(head) else None):
            return form
        if not self.begins(head):
            for offset, magic in self._offsets(_ANY, 0):
                form = _MAGIC.get(magic[:3])
                if form is None and self.begins(bytes(self._stored.at(offset + 1, _LINE))):
                    return "plain"
                if form and self._is_member(offset, form, strict=True):
                    return form
        return "plain"

    def _offsets(self, pattern: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        """Yield where a pattern occurs, each occurrence once. The pattern is shorter than 32 bytes."""
        compiled, last = re.compile(pattern, re.DOTALL), -1
        while True:
            view = self._stored.at(at, _PIECE)
            for match in compiled.finditer(view):
                if at + match.start() > last:
                    last = at + match.start()
                    yield last, match.group()
            if at + len(view) >= self.end:
                return
            at += len(view) - 32

    def _is_member(self, at: int, form: str, *, strict: bool) -> bool:
        """Try a member. The first bytes are free, the others cost effort."""
        decoder, head, fed = self._decoder(form), b"", 0
        while fed < _TRIAL or (fed < _TRIAL_MAX and self.effort > 0):
            view = self._stored.at(at + fed, _STEP[form] if fed >= _TRIAL else _TRIAL_STEP)
            try:
                data = decoder.decompress(view)
            except _BAD:
                return False
            fed += len(view)
            self.effort -= len(view) if fed > _TRIAL else 0
            head += data[: _LINE - len(head)]
            if data and self.begins(head):
                return True
            if decoder.eof or not view or (strict and len(head) >= _TRIAL):
                return decoder.eof and bool(head) and not strict
        return False

    def _plain(self, at: int) -> Iterator[Piece]:
        opens = True
        while view := self._stored.at(at, _PIECE):
            yield Piece(bytes(view), at, at, at + len(view), opens)
            opens, at = False, at + len(view)

    def _members(self, at: int) -> Iterator[Piece]:
        following: int | None = at
        while following is not None:
            at, begin = following, self._past_padding(following)
            head = bytes(self._stored.at(begin, _SKIPPED_HEAD))
            if not head:
                return
            if begin - at > _MAX_PADDING:
                why = f"a hole: {begin - at} zero bytes between records"
                yield Piece(b"", begin, at, begin, trouble=why, resume=begin)
                return
            if _MAGIC.get(head[:3]) == self.form:
                following = yield from self._member(begin)
            elif self.form == "zstd" and _SKIPPED.match(head):
                following = yield from self._skipped(begin, head)
            else:
                why = f"no {self.form} member where one should begin"
                yield Piece(b"", begin, begin, begin, trouble=why, resume=begin)
                return

    def _member(self, begin: int) -> Generator[Piece, None, int | None]:
        """Decompress a member, and return where it ends; None when it is damaged."""
        decoder, step, at, opens = self._decoder(self.form), _STEP[self.form], begin, True
        while not decoder.eof:
            view = self._stored.at(at, step)
            why = None if view else f"cut short: the file ends inside a {self.form} member"
            try:
                data = decoder.decompress(view)
            except _BAD as error:
                data, why = b"", f"{self.form}: {error}"
                for piece in self._salvaged(begin, at):
                    yield Piece(*piece, opens=opens)
                    opens = False
            end = at + len(view) - len(decoder.unused_data)
            if data or decoder.eof or why:
                yield Piece(data, begin, at, end, opens, decoder.eof and not why, why, begin + 1)
                opens = False
            if why:
                return None
            at = end
        return at

    def _salvaged(self, begin: int, at: int) -> Iterator[tuple[bytes, int, int, int]]:
        """Decompress a damaged member again, its last stored bytes in small steps: what came out before it broke."""
        self.effort -= at - begin
        if self.effort <= 0:
            return
        decoder, step, data = self._decoder(self.form), _STEP[self.form], b""
        for offset in range(begin, at, step):
            decoder.decompress(self._stored.at(offset, step))
        start, least = at, _FIRST if at == begin else 1
        for offset in range(at, at + step, _SALVAGE):
            try:
                data += decoder.decompress(self._stored.at(offset, _SALVAGE))
            except _BAD:
                break
            if len(data) >= least:
                yield data, begin, start, offset + _SALVAGE
                start, least, data = offset + _SALVAGE, 1, b""
        if data:
            yield data, begin, start, start

    def _skipped(self, begin: int, head: bytes) -> Generator[Piece, None, int | None]:
        """Pass a skippable frame, which counts as padding; the first one may hold the dictionary."""
        size = int.from_bytes(head[4:], "little")
        following = begin + _SKIPPED_HEAD + size
        why = f"a skippable frame of {size} bytes reaches beyond the file"
        if following <= self.end and head.startswith(_DICTIONARY):
            why = self._learn(
                bytes(self._stored.at(begin + _SKIPPED_HEAD, min(size, _MAX_DICTIONARY)))
            )
        elif following <= self.end:
            why = ""
        if why:
            yield Piece(b"", begin, begin, begin, trouble=why, resume=begin + 1)
            return None
        return following

    def _learn(self, dictionary: bytes) -> str:
        """Use a dictionary from here on; return why that is not possible, or nothing."""
        try:
            if _MAGIC.get(dictionary[:3]) == "zstd":
                dictionary = _whole_frame(dictionary)
            known = zstandard.ZstdCompressionDict(dictionary)
            self._zstd = zstandard.ZstdDecompressor(dict_data=known)
        except (zstandard.ZstdError, MemoryError) as error:
            return f"dictionary: {error}"
        return ""

    def _decoder(self, form: str) -> Any:  # noqa: ANN401 - two libraries, one shape
        if form == "gzip":
            return igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        return self._zstd.decompressobj()

    def _past_padding(self, at: int) -> int:
        while view := self._stored.at(at, _LINE):
            if view[0] > 13:  # noqa: PLR2004 - "\r", the greatest byte of padding; nearly always so
                break
            match = _PADDING.match(view)
            length = match.end() if match else 0
            at += length
            if length < len(view):
                break
        return at


class Window:
    """The decompressed bytes at hand. Positions count decompressed bytes from the first member read."""

    def __init__(self, container: Container) -> None:
        """Stand before the first member."""
        self.container = container
        self.data: bytes | bytearray = b""  # one piece as it came, until there is more to it
        self.base = self.end = 0  # positions of the first byte at hand, and behind the last
        self.opens: list[
            int
        ] = []  # positions where members begin with a record, and where sound ones end
        self.closes: list[int] = []
        self.trouble: Piece | None = None
        self._begins: list[int] = []  # positions where pieces begin, and how they are stored
        self._marks: list[Mark] = []
        self._opened = 0
        self._source: Iterator[Piece] = iter(())
        self.open(0, 0)

    def open(self, member: int, position: int) -> None:
        """Go on at a stored member, whose first byte gets a position."""
        self.data = b""
        self.base = self.end = self._opened = position
        self.opens, self.closes, self._begins = [], [], [position]
        self._marks = [Mark(member, member, 0, member, position)]
        self.trouble, self._source = None, self.container.pieces(member)

    def back_to(self, position: int, mark: Mark) -> None:
        """Read a member again, up to a position that is no longer at hand."""
        self.container.spend(self.place(self.end)[0] - mark.member, self.end - mark.opened)
        plain = self.container.form == "plain"
        self.open(position if plain else mark.member, position if plain else mark.opened)
        while self.end <= position and self.fill(self.end):
            pass

    def fill(self, keep: int) -> bool:
        """Add a piece, forget most of what lies before `keep`; return false at damage or at the end."""
        piece = None if self.trouble else next(self._source, None)
        if piece is None:
            return False
        if 2 * (keep - self.base) >= len(self.data):
            self._forget(keep)
        size = len(piece.data)
        if piece.opens:
            self._opened = self.end
            if self.container.begins(piece.data[:_LINE]):
                self.opens.append(self.end)
        self._begins.append(self.end)
        self._marks.append(Mark(piece.start, piece.end, size, piece.member, self._opened))
        if not self.data:
            self.data = piece.data
        elif isinstance(self.data, bytearray):
            self.data += piece.data
        else:
            self.data = bytearray(self.data) + piece.data
        self.end += size
        if piece.closes:
            self.closes.append(self.end)
        if piece.trouble:
            self.trouble = piece
        return size > 0 or not piece.trouble

    def copy(self, position: int, size: int) -> bytes:
        """Return bytes at hand."""
        first = position - self.base
        if isinstance(self.data, bytes):
            return self.data[first : first + size]
        with memoryview(self.data) as view:
            return bytes(view[first : first + size])

    def mark(self, position: int) -> Mark:
        """Return the piece a position is in."""
        return self._marks[bisect_right(self._begins, position) - 1]

    def place(self, position: int) -> tuple[int, int, int]:
        """Return a position's stored byte (in a piece an estimate), its member's offset, and the bytes into that."""
        index = bisect_right(self._begins, position) - 1
        mark, within = self._marks[index], position - self._begins[index]
        stored = mark.start + within * (mark.end - mark.start) // (mark.size or 1)
        if self.container.form == "plain":
            return stored, stored, 0
        return stored, mark.member, position - mark.opened

    def _forget(self, keep: int) -> None:
        if keep == self.end:
            self.data = b""
        elif isinstance(self.data, bytearray):
            del self.data[: keep - self.base]
        else:
            self.data = self.data[keep - self.base :]
        self.base = keep
        del self.opens[: bisect_left(self.opens, keep)]
        del self.closes[: bisect_left(self.closes, keep)]
        first = bisect_right(self._begins, keep) - 1
        del self._begins[:first], self._marks[:first]
