"""Compressed files as pieces: every stored byte in one piece, damage named, and members found again behind it."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.ingest.container import Container, Stored

TEXTS = [b"WARC/1.0\r\n" + bytes([65 + i]) * 40_000 for i in range(5)]
NOISE = random.Random(0).randbytes(90_000)
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"  # of a gzip member
ZSTD_HEAD = b"\x28\xb5\x2f\xfd"


def begins(data: bytes) -> bool:
    return data.startswith(b"WARC/1.0\r\n")


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def skippable(data: bytes, nibble: int = 0) -> bytes:
    return bytes([0x50 + nibble]) + b"\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data


def container(data: bytes) -> Container:
    return Container(io.BytesIO(data), len(data), begins)


class Dribble(io.RawIOBase):
    """A stream that gives few bytes at a time, as raw streams may, and counts them."""

    def __init__(self, data: bytes) -> None:
        self.inner, self.given = io.BytesIO(data), 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.inner.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        part = self.inner.read(min(size, 1000) if size >= 0 else size)
        self.given += len(part)
        return part


@given(
    reads=st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 3000)), max_size=8),
    size=st.integers(0, 6000),
)
def test_stored_bytes_at_any_offset(reads, size) -> None:
    data = NOISE[:5000]
    stored = Stored(Dribble(data), size)
    for offset, want in reads:
        known = data[: min(size, len(data))]
        assert bytes(stored.at(offset, want)) == known[offset : offset + want]


def test_reading_on_reads_once() -> None:
    stream = Dribble(NOISE * 40)
    stored = Stored(stream, len(NOISE) * 40)
    assert b"".join(stored.at(i, 5000) for i in range(0, len(NOISE) * 40, 5000)) == NOISE * 40
    assert stream.given == len(NOISE) * 40


def test_errors_of_the_stream_are_not_damage() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError(size)

    with pytest.raises(ConnectionResetError):
        Container(Broken(), 10, begins)


@pytest.mark.parametrize(
    ("data", "form", "members"),
    [
        pytest.param(b"".join(TEXTS), "plain", 1, id="plain"),
        pytest.param(b"".join(map(gz, TEXTS)), "gzip", 5, id="a member each"),
        pytest.param(gz(b"".join(TEXTS)), "gzip", 1, id="one member"),
        pytest.param(gz(b"".join(TEXTS[:2])) + gz(b"") + gz(b"".join(TEXTS[2:])), "gzip", 3, id="mix"),
        pytest.param(b"".join(map(zst, TEXTS)), "zstd", 5, id="a frame each"),
        pytest.param(zst(b"".join(TEXTS)), "zstd", 1, id="one frame"),
        pytest.param(b"\0\0" + b"\n\0".join(map(gz, TEXTS)) + b"\0" * 70_000, "gzip", 5, id="padded"),
        pytest.param(skippable(b"ab") + b"".join(zst(t) + skippable(NOISE, 15) for t in TEXTS), "zstd", 5,
                     id="skippable frames"),
    ],
)  # fmt: skip
def test_pieces_hold_all_bytes(data, form, members) -> None:
    file = container(data)
    pieces = list(file.pieces(0))
    assert file.form == form
    assert b"".join(p.data for p in pieces) == b"".join(TEXTS)
    assert all(a.end <= b.start for a, b in pairwise(pieces))
    assert not data[pieces[-1].end :].strip(b"\0") or form == "zstd"
    assert sum(p.opens for p in pieces) == members
    assert sum(p.closes for p in pieces) == (0 if form == "plain" else members)
    assert not any(p.trouble for p in pieces)


@pytest.mark.parametrize("make", [gz, zst])
@pytest.mark.parametrize("level", [0, 6])
def test_damage_is_the_last_piece(make, level) -> None:
    noisy = b"WARC/1.0\r\n" + NOISE
    member = gzip.compress(noisy, level, mtime=0) if make is gz else zst(noisy)
    for at in (len(member) - 1, len(member) // 2, len(member) // 5):
        damaged = bytearray(make(TEXTS[0]) + member + make(TEXTS[1]))
        damaged[len(make(TEXTS[0])) + at] ^= 0x10
        pieces = list(container(bytes(damaged)).pieces(0))
        assert pieces[-1].trouble, at
        assert not pieces[-1].closes
        assert [p.trouble for p in pieces[:-1]] == [None] * (len(pieces) - 1)
        assert pieces[0].data == TEXTS[0][: len(pieces[0].data)]
        assert pieces[-1].resume > pieces[-1].member == len(make(TEXTS[0]))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(gz(TEXTS[0])[:-8] + b"\0" * 4 + gz(TEXTS[0])[-4:], "checksum", id="crc"),
        pytest.param(gz(TEXTS[0])[:-1] + b"\1", "checksum", id="length"),
        pytest.param(gz(TEXTS[0])[:-1], "cut short", id="cut trailer"),
        pytest.param(HEAD[:5], "cut short", id="cut head"),
        pytest.param(zst(TEXTS[0])[:-1], "cut short", id="cut frame"),
        pytest.param(zst(TEXTS[0])[:-4] + b"\0" * 4, "checksum", id="zstd checksum"),
        pytest.param(gz(TEXTS[0]) + b"junk", "no gzip member", id="junk"),
        pytest.param(gz(TEXTS[0]) + b"\0" * 5000 + gz(TEXTS[0]), "hole", id="hole"),
        pytest.param(skippable(b"abc")[:-1], "beyond the file", id="skippable frame, cut"),
        pytest.param(skippable(zst(b"x")[:-2], 13) + zst(TEXTS[0]), "dictionary", id="cut dictionary"),
    ],
)  # fmt: skip
def test_what_is_called_damage(data, why) -> None:
    assert why in (list(container(data).pieces(0))[-1].trouble or "")


def test_what_came_out_before_damage_is_kept() -> None:
    """Up to a few hundred bytes: the decompressor gives nothing for the step it fails in."""
    words = b" ".join(b"%d" % (i * i) for i in range(9000))
    member = bytearray(gz(words))
    member[len(member) * 3 // 4] ^= 0xFF
    found = b"".join(p.data for p in container(bytes(member)).pieces(0))
    out = zlib.decompressobj(31)
    sound = b"".join(out.decompress(member[i : i + 1]) for i in range(len(member) * 3 // 4))
    assert len(found) > len(sound) - 600
    assert found[: len(sound) - 600] == words[: len(sound) - 600]


@pytest.mark.parametrize("compress_dictionary", [False, True])
def test_dictionaries(compress_dictionary) -> None:
    """The dictionary of a WARC is in a first skippable frame, itself compressed or not."""
    samples = [b"WARC/1.0\r\nWARC-Type: response %d\r\n" % i * 9 for i in range(200)]
    known = zstandard.train_dictionary(4000, samples)
    stored = zst(known.as_bytes()) if compress_dictionary else known.as_bytes()
    frames = [zstandard.ZstdCompressor(dict_data=known).compress(s) for s in samples]
    data = skippable(stored, 13) + b"".join(frames)
    assert b"".join(p.data for p in container(data).pieces(0)) == b"".join(samples)
    without = list(container(b"".join(frames)).pieces(0))
    assert without[-1].trouble


@pytest.mark.parametrize(
    "data", [gzip.compress(bytes(64 << 20), 9), zstandard.ZstdCompressor().compress(bytes(130 << 20))]
)  # fmt: skip
def test_a_bomb_comes_in_pieces(data) -> None:
    sizes = [len(p.data) for p in container(data).pieces(0)]
    assert sum(sizes) in {64 << 20, 130 << 20}
    assert max(sizes) <= 68 << 20


@pytest.mark.parametrize(
    ("before", "member", "found"),
    [
        pytest.param(NOISE, gz(TEXTS[1]), True, id="behind noise"),
        pytest.param(NOISE[:7], gz(TEXTS[1])[:9] + b"\x13" + gz(TEXTS[1])[10:], True, id="of wget"),
        pytest.param(b"\x1f\x8b\x08" * 9, gz(TEXTS[1]), True, id="behind half a head"),
        pytest.param(HEAD * 9, gz(TEXTS[1]), True, id="behind heads"),
        pytest.param(HEAD[:4], gz(TEXTS[1]), True, id="head in a head"),
        pytest.param(b"x", gz(b"not a record, but sound " * 999), True, id="sound"),
        pytest.param(b"x", gz(NOISE)[:-9], False, id="neither sound nor a record"),
        pytest.param(b"x", gz(TEXTS[1])[:400], True, id="a record, cut"),
        pytest.param(NOISE * 12, gz(TEXTS[1]), True, id="across pieces"),
    ],
)
def test_find(before, member, found) -> None:
    data = gz(TEXTS[0]) + before
    file = container(data + member)
    assert file.find(len(gz(TEXTS[0]))) == (len(data) if found else None)


@pytest.mark.parametrize("behind", range(1 << 20, (1 << 20) + 40, 3))
def test_find_at_the_edge_of_a_piece(behind) -> None:
    data = gz(b"") + NOISE * 12
    data = data[: behind - 20] + gz(TEXTS[1])
    assert container(data).find(len(gz(b""))) == behind - 20


@pytest.mark.parametrize(
    ("data", "form"),
    [
        pytest.param(b"X" + gz(TEXTS[0])[1:] + gz(TEXTS[1]), "gzip", id="gzip"),
        pytest.param(b"X" + zst(TEXTS[0])[1:] + zst(TEXTS[1]), "zstd", id="zstd"),
        pytest.param(b"X" + TEXTS[0] + b"\r\n" + TEXTS[1], "plain", id="plain"),
        pytest.param(b"X" + gz(b"a body") + b"\r\n" + TEXTS[1], "plain", id="gzip that is no record"),
        pytest.param(NOISE, "plain", id="noise"),
        pytest.param(b"", "plain", id="empty"),
    ],
)  # fmt: skip
def test_form_when_the_first_byte_is_damaged(data, form) -> None:
    assert container(data).form == form


@pytest.mark.parametrize(
    ("first", "unit"),
    [
        pytest.param(gz(TEXTS[0]), HEAD, id="heads"),
        pytest.param(gz(TEXTS[0]), HEAD + b"\x00\xff\xff\x00\x00WARC/1.0\r\n", id="one in another"),
        pytest.param(gz(TEXTS[0]), gz(b"x"), id="sound members"),
        pytest.param(zst(TEXTS[0]), ZSTD_HEAD, id="zstd heads"),
    ],
)
def test_work_of_finding_is_bounded(first, unit) -> None:
    """Counted in bytes read and effort: a hostile file is read a few times, not once for each head."""
    data = first + unit * (90_000 // len(unit))
    stream = Dribble(data)
    file = Container(stream, len(data), begins)
    effort = file.effort
    at: int | None = 1
    for _ in range(1000):
        at = file.find(at + 1) if at is not None else None
    assert stream.given <= 6 * len(data)
    assert effort - file.effort <= 9 * len(data) + (4 << 20)


def test_effort_runs_out() -> None:
    """Then only what begins like a record is a member, and damaged members are not read twice."""
    data = gz(TEXTS[0]) + b"x" + gz(NOISE)
    file = container(data + gz(TEXTS[1]))
    assert file.find(len(gz(TEXTS[0]))) == len(gz(TEXTS[0])) + 1
    file.effort = 0
    assert file.find(len(gz(TEXTS[0]))) == len(data)
