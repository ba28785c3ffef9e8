"""Archives damaged anywhere: nothing is raised or lost, and records away from the damage are found as they were."""

from __future__ import annotations

import gzip
import io
import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.ingest.archive import records

CAP = 1 << 16
NOISE = random.Random(1).randbytes(200_000)
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def warc(index: int, size: int) -> bytes:
    text = b" ".join(b"%d:%d" % (index, i) for i in range(size // 8))
    block = HEAD + (text if index % 3 else NOISE[index * 100 : index * 100 + size])
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/%d\r\nContent-Length: %d\r\n\r\n"
    return head % (index, len(block)) + block + b"\r\n\r\n"


def arc(index: int, size: int) -> bytes:
    block = HEAD + warc(index, size)[90:]
    return (
        b"http://a.example/%d 192.0.2.1 20080430204825 text/html %d\n" % (index, len(block))
        + block
        + b"\n"
    )


def split(data: bytes) -> list[bytes]:
    return [data[i : i + 900] for i in range(0, len(data), 900)]


COMPRESS = {
    "plain": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}
LAYOUTS = {"each": lambda records: records, "whole": lambda records: [b"".join(records)],
           "blocks": lambda records: split(b"".join(records))}  # fmt: skip

archives = st.tuples(
    st.sampled_from([warc, arc]),
    st.sampled_from(sorted(COMPRESS)),
    st.sampled_from(sorted(LAYOUTS)),
    st.lists(st.sampled_from([0, 3, 50, 400, 3000, 70_000]), min_size=1, max_size=9),
)
edits = st.lists(
    st.tuples(
        st.sampled_from(["cut", "flip", "insert", "delete", "repeat", "zero", "swap"]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from([1, 2, 7, 100, 1500, 20_000]),
    ),
    min_size=1,
    max_size=3,
)


def edited(data: bytes, kind: str, where: float, size: int) -> tuple[bytes, int, int]:
    """Damage bytes; return them, where the damage begins, and how many of the last bytes are as they were."""
    at = int(where * len(data))
    size = min(size, len(data) - at)
    behind = data[at + size :]
    changed = {
        "cut": b"",
        "flip": bytes(b ^ 1 << (at % 8) for b in data[at : at + size]),
        "insert": NOISE[at : at + size] + data[at : at + size],
        "delete": b"",
        "repeat": data[at : at + size] * 2,
        "zero": bytes(size),
        "swap": data[at : at + size][::-1],
    }[kind]
    behind = b"" if kind == "cut" else behind
    return data[:at] + changed + behind, at, len(behind)


def check(data: bytes, cap: int = CAP) -> list[tuple[int, bytes]]:
    """Read a file, check what holds for every file; return offsets and blocks of sound records."""
    rows = list(records(io.BytesIO(data), len(data), cap))
    assert sum(r.length for r in rows) == len(data)
    assert all(r.length >= 0 and r.unpacked >= 0 and len(r.block) <= cap for r in rows)
    assert [r.offset for r in rows] == sorted(r.offset for r in rows)
    assert all(0 <= r.offset < len(data) for r in rows)
    assert len({(r.offset, r.within) for r in rows}) == len(rows)
    assert all((r.kind == "") == (r.trouble is not None) for r in rows)
    return [(r.offset, r.block) for r in rows if not r.trouble]


@given(archive=archives, changes=edits, cap=st.sampled_from([0, 60, 5000, CAP]))
def test_every_byte_has_a_row(archive, changes, cap) -> None:
    make, how, layout, sizes = archive
    parts = LAYOUTS[layout]([make(i, size) for i, size in enumerate(sizes)])
    data = b"".join(map(COMPRESS[how], parts))
    for kind, where, size in changes:
        data, _, _ = edited(data, kind, where, size)
    first = check(data, cap)
    assert check(data, cap) == first


@given(archive=archives, kind=st.sampled_from(["cut", "flip", "insert", "delete", "repeat", "zero", "swap"]),
       where=st.floats(0, 1, exclude_max=True), size=st.sampled_from([1, 2, 7, 100, 1500, 20_000]))  # fmt: skip
def test_records_away_from_the_damage_are_found(archive, kind, where, size) -> None:
    """Those in members that are whole, and not next to the damage, at their offsets (moved by what was added)."""
    make, how, _, sizes = archive
    parts = [COMPRESS[how](make(i, s)) for i, s in enumerate(sizes)]
    data = b"".join(parts)
    sound = check(data)
    assert len(sound) == len(parts)
    damaged, begin, behind = edited(data, kind, where, size)
    found = set(check(damaged))
    moved = len(damaged) - len(data) if kind != "cut" else 0
    untouched = len(data) - behind if behind else len(data)
    first_behind = True
    for (offset, block), part in zip(sound, parts, strict=True):
        if offset + len(part) <= begin:
            # an ARC record ends where the head of the next one says so
            is_last_before = offset + len(part) > begin - (how == "plain") * (
                8 if make is warc else 90
            )
            assert is_last_before or (offset, block) in found
        elif offset >= untouched:
            assert (offset + moved, block) in found or (first_behind and how == "plain")
            first_behind = False


@given(data=st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([
        b"WARC/1.0\r\n", b"Content-Length: 5\r\n", b"\r\n", b"\n", b"http://a/ 1.1.1.1 20080101000000 t 3\n", b"abc",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18\x02\0\0\0",
        b"\x5d\x2a\x4d\x18\x01\0\0\0", b"\0" * 5000, gzip.compress(warc(1, 50)), gzip.compress(b""),
        COMPRESS["zstd"](warc(2, 50)), warc(3, 3), arc(4, 3),
    ]), max_size=12).map(b"".join),
))  # fmt: skip
def test_anything_at_all(data) -> None:
    check(data)


@pytest.mark.parametrize("how", sorted(COMPRESS))
@pytest.mark.parametrize("make", [warc, arc])
def test_every_other_byte_flipped(make, how) -> None:
    """A flipped bit costs one record, unless it is one that no checksum covers."""
    parts = [COMPRESS[how](make(i, 24)) for i in range(3)]
    data = b"".join(parts)
    sound = dict(check(data))
    for at in range(0, len(data), 2):
        damaged = bytearray(data)
        damaged[at] ^= 1 << (at % 8)
        lost = [o for o in sound if o not in dict(check(bytes(damaged)))]
        assert len(lost) <= (2 if how == "plain" else 1), at
