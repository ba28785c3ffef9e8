"""WARC and ARC files as records: every byte has a row, and damage costs the record it is in, no other."""

from __future__ import annotations

import gzip
import io
import random
from collections import Counter

import pytest
import zstandard
from shared_data import DATA

from curation_dagster.ingest import container
from curation_dagster.ingest.archive import Record, records
from curation_dagster.ingest.record_head import begins, warc_fields

WARCS = DATA / "warc"
FILES = [p for p in sorted([*WARCS.glob("*"), *WARCS.glob("odd/*")]) if p.is_file()]
CAP = 1 << 20
NOISE = random.Random(0).randbytes(70_000)
KINDS = frozenset(
    {"warcinfo", "request", "response", "revisit", "metadata", "resource", "conversion"}
)


def warc(
    name: str = "a",
    block: bytes = b"block",
    kind: str = "response",
    length: object = None,
    end: str = "\r\n",
) -> bytes:
    """One record; `length` is what it says of itself."""
    lines = [
        "WARC/1.1",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: http://a.example/{name}",
        *(
            []
            if length == "none"
            else [f"Content-Length: {len(block) if length is None else length}"]
        ),
    ]
    return "".join(f"{line}{end}" for line in [*lines, ""]).encode() + block + (end * 2).encode()


def arc(
    url: str = "http://a.example/",
    block: bytes = b"block",
    fields: str = "text/html",
    length: object = None,
) -> bytes:
    size = len(block) if length is None else length
    return f"{url} 192.0.2.1 20080430204825 {fields} {size}\n".encode() + block + b"\n"


def filedesc(
    version: str = "1 1 x\nURL IP-address Archive-date Content-type Archive-length\n",
) -> bytes:
    return arc("filedesc://x.arc", version.encode(), "text/plain")


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def split(data: bytes, size: int = 700) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


LAYOUTS = {
    "plain": b"".join,
    "gz each": lambda rs: b"".join(map(gz, rs)),
    "gz whole": lambda rs: gz(b"".join(rs)),
    "gz blocks": lambda rs: b"".join(map(gz, split(b"".join(rs)))),
    "gz mixed": lambda rs: gz(rs[0]) + gz(b"".join(rs[1:3])) + gz(b"") + b"".join(map(gz, rs[3:])),
    "zst each": lambda rs: b"".join(map(zst, rs)),
    "zst whole": lambda rs: zst(b"".join(rs)),
    "zst blocks": lambda rs: b"".join(map(zst, split(b"".join(rs)))),
}
EACH = ("plain", "gz each", "zst each")  # a stored offset is a record's own


def read(data: bytes, cap: int = CAP, **keep: frozenset[str]) -> list[Record]:
    """Read a file's rows, and check what holds for every file."""
    rows = list(records(io.BytesIO(data), len(data), cap, **keep))
    assert sum(r.length for r in rows) == len(data)
    assert all(r.length >= 0 and r.unpacked >= 0 and len(r.block) <= cap for r in rows)
    assert [r.offset for r in rows] == sorted(r.offset for r in rows)
    assert all((r.kind == "") == (r.trouble is not None) for r in rows)
    return rows


def names(rows: list[Record]) -> list[str]:
    """Say for each row which record it is; damage in brackets."""
    found = [r.headers.get("warc-target-uri", "").removeprefix("http://a.example/") for r in rows]
    return [f"[{n}]" if r.trouble else n for n, r in zip(found, rows, strict=True)]


@pytest.fixture
def many() -> list[bytes]:
    """Records of many kinds and sizes."""
    return [
        warc("0", b"software: x\r\n", "warcinfo"),
        warc("1", b"GET / HTTP/1.1\r\n\r\n", "request"),
        warc("2", b"HTTP/1.1 200 OK\r\n\r\n" + NOISE),
        warc("3", b""),
        warc("4", b"\r\n\r\n \r\n", "metadata"),
        warc("5", "naïve".encode() * 700, "conversion"),
        warc("6", b"line\nWARC\nWARC/1\n\r\nWARC/x.y\r\n" * 9),
        warc("7", b"HTTP/1.1 200 OK\n\n", end="\n"),
        warc("8", NOISE[:999], "resource"),
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_records_in_every_layout(many, layout) -> None:
    data = LAYOUTS[layout](many)
    rows = read(data, keep=KINDS)
    assert names(rows) == [str(i) for i in range(9)]
    sep = [b"\n\n" if i == 7 else b"\r\n\r\n" for i in range(9)]
    heads = [r.index(s) + len(s) for r, s in zip(many, sep, strict=True)]
    blocks = [r[h : len(r) - len(s)] for r, h, s in zip(many, heads, sep, strict=True)]
    assert [r.block for r in rows] == blocks
    assert [r.unpacked for r in rows] == [h + len(b) for h, b in zip(heads, blocks, strict=True)]
    assert [r.kind for r in rows][:6] == [
        "warcinfo",
        "request",
        "response",
        "response",
        "metadata",
        "conversion",
    ]
    assert not any(r.too_large for r in rows)
    if layout in EACH:
        sizes = [len(LAYOUTS[layout]([r])) for r in many]
        assert [r.length for r in rows] == sizes
        assert [r.offset for r in rows] == [sum(sizes[:i]) for i in range(9)]
    if "whole" in layout:
        assert {r.offset for r in rows} == {0}


def test_lengths_in_one_member_follow_what_is_stored() -> None:
    parts = [NOISE[i * 9000 : i * 9000 + size] for i, size in enumerate([9000, 30, 3000, 9000])]
    rows = read(gz(b"".join(warc(str(i), p) for i, p in enumerate(parts))))
    assert all(abs(r.length - len(p) - 140) < 300 for r, p in zip(rows, parts, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_that_are_not_wanted_or_too_large(many, layout) -> None:
    rows = read(LAYOUTS[layout](many), cap=1000, keep=frozenset({"response", "conversion"}))
    assert names(rows) == [str(i) for i in range(9)]
    assert [r.too_large for r in rows] == [i in {2, 5} for i in range(9)]
    assert [len(r.block) for r in rows] == [0, 0, 1000, 0, 0, 1000, 261, 17, 0]
    assert rows[2].unpacked > 70_000
    assert names(read(LAYOUTS[layout](many), cap=0)) == names(rows)


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        pytest.param(b"W\r\nA-b: c\r\nD:e\r\n\r\n", {"a-b": "c", "d": "e"}, id="plain"),
        pytest.param(b"W\nA: 1\na: 2\n\n", {"a": "1"}, id="the first wins"),
        pytest.param(b"W\r\nA: b\r\n  c\r\n\td\r\nE: f\r\n\r\n", {"a": "b c d", "e": "f"}, id="folded"),
        pytest.param("W\r\nA: é €\r\n\r\n".encode(), {"a": "é €"}, id="utf-8"),
        pytest.param(b"W\r\nA: \xe9\r\n\r\n", {"a": "é"}, id="latin-1"),
        pytest.param(b"W\r\nA : b : c \r\nnothing\r\n: x\r\n\r\n", {"a": "b : c", "": "x"}, id="odd"),
        pytest.param(b"W\r\nA: b\r\nWARC-Target-URI: http://a.ex", {"a": "b"}, id="cut"),
        pytest.param(b"W\r\n\r\n", {}, id="none"),
        pytest.param("W\r\nA: b\u2028c\x0bd\r\n\r\n".encode(), {"a": "b\u2028c\x0bd"}, id="no line ends"),
    ],
)  # fmt: skip
def test_fields(head, fields) -> None:
    assert warc_fields(head) == fields


@pytest.mark.parametrize(
    ("line", "is_start"),
    [
        (b"WARC/1.0\r\n", True), (b"WARC/0.18\r\n", True), (b"WARC/1.1 \n", True), (b"WARC/1.0", False),
        (b"WARC/2.0\r\n", False), (b"warc/1.0\r\n", False), (b"WARC/1.0 x\r\n", False), (b"", False),
        (b"http://a/ 192.0.2.1 20080430204825 text/html 9\n", True),
        (b"http://a/b c d 192.0.2.1 20080430204825 text/html 9\n", True),
        (b"dns:a - 20080430204825 text/dns -1\n", True),
        (b"http://a/ 2001:db8::1 201404010000000000 no-type abc\n", True),
        (b"filedesc://x 0.0.0.0 20080430 text/plain 200 - - 0 x.arc 99\n", True),
        (b"http://a/ 192.0.2.1 20080430204825 9\n", False),
        (b"http://a/ 192.0.2.1 2008 text/html 9\n", False),
        (b"http://a/ 192.0.2.1 20080430204825 text/html 9", False),
        (b"see http://a/ 192.0.2.1 20080430204825 text/html 9\n", False),
    ],
)  # fmt: skip
def test_what_begins_a_record(line, is_start) -> None:
    assert begins(line) is is_start


@pytest.mark.parametrize("layout", [k for k in LAYOUTS if k != "gz mixed"])
def test_arc(layout) -> None:
    two = "2 0 x\nURL IP-address Archive-date Content-type Result-code Checksum Location Offset Filename L\n"
    for version in (filedesc(), filedesc(two)):
        parts = [
            version,
            arc(
                "http://a.example/1",
                NOISE,
                "text/html" if version == filedesc() else "text/html 200 AB - 9 x.arc",
            ),
            arc("http://a.example/two words", b"", "text/html; charset=x"),
            arc("dns:a.example", b"207.241.2.2\n", "text/dns"),
            arc("https://a.example/\xe9", b"http://b.example/ no header line\n" * 99),
        ]
        rows = read(LAYOUTS[layout](parts), keep=frozenset({"response"}))
        assert [r.kind for r in rows] == [
            "filedesc",
            "response",
            "response",
            "resource",
            "response",
        ]
        assert [len(r.block) for r in rows] == [0, 70_000, 0, 0, 3267]
        assert dict(rows[1].headers) == {
            "warc-target-uri": "http://a.example/1",
            "warc-date": "2008-04-30T20:48:25Z",
            "content-type": "text/html",
            "content-length": "70000",
            "warc-ip-address": "192.0.2.1",
        }
        assert [r.headers["warc-target-uri"] for r in rows[2:]] == [
            "http://a.example/two words", "dns:a.example", "https://a.example/é",
        ]  # fmt: skip
        assert rows[2].headers["content-type"] == "text/html; charset=x"


@pytest.mark.parametrize("layout", ["plain", "gz each", "gz whole"])
@pytest.mark.parametrize("length", [-1, "abc", 4, 80, 10**12])
def test_wrong_lengths_in_arc(layout, length) -> None:
    parts = [
        filedesc(),
        arc("http://a.example/1"),
        arc("http://a.example/2", length=length),
        arc("http://a.example/3"),
    ]
    rows = read(LAYOUTS[layout]([*parts, arc("http://a.example/4", b"end")]))
    assert names(rows) == ["filedesc://x.arc", "1", "[2]", "3", "4"]
    assert rows[-1].block == b"end"


def test_a_damaged_head_in_arc_costs_one_record() -> None:
    parts = [
        filedesc(),
        arc("http://a.example/1"),
        arc("http://a.example/2").replace(b"2008", b"20x8"),
        arc("http://a.example/3"),
    ]
    rows = read(b"".join(parts))
    assert names(rows) == ["filedesc://x.arc", "1", "[]", "3"]
    assert [r.length for r in rows] == [len(p) for p in parts]


WRONG = {
    "too short": 3,
    "too long by a little": 40,
    "beyond the next": 400,
    "beyond the next three": 90_000,
    "beyond the file": 10**7,
    "absurd": 10**15,
    "negative": -5,
    "no number": "12a",
    "empty": "",
    "other digits": "１２",
    "missing": "none",
    "very many digits": "9" * 5000,
}


@pytest.mark.parametrize("cap", [100, CAP])
@pytest.mark.parametrize("layout", [k for k in LAYOUTS if k != "gz mixed"])
@pytest.mark.parametrize("length", WRONG.values(), ids=WRONG)
def test_a_wrong_length_costs_one_record(layout, length, cap) -> None:
    """Also when the block is larger than what is held, so that the way back is read again."""
    parts = [
        warc("0"),
        warc("1", b"some block", length=length),
        warc("2", b"b" * 300),
        warc("3", NOISE),
        warc("4"),
    ]
    rows = read(LAYOUTS[layout](parts), cap)
    assert names(rows) == ["0", "[1]", "2", "3", "4"]
    assert rows[1].trouble
    assert not rows[1].block
    assert rows[-1].block == b"block"
    if layout in EACH:
        sizes = [len(LAYOUTS[layout]([p])) for p in parts]
        assert [r.length for r in rows] == sizes


@pytest.mark.parametrize(
    ("junk", "found"),
    [
        pytest.param(b"", ["0", "1"], id="none"),
        pytest.param(b"\r\n" * 9 + b" \t\0", ["0", "1"], id="padding"),
        pytest.param(b"junk" * 50, ["0", "[]", "1"], id="junk"),
        pytest.param(b"\0" * 9000, ["0", "[]", "1"], id="a hole"),
        pytest.param(b"WARC/1.0\r\n" * 50, ["0", "[]", "1"], id="heads without end"),
        pytest.param(b"WARC/1.0\r\nA: b\r\n", ["0", "[]", "1"], id="a head without end"),
        pytest.param(b"x\nWARC/1.0\r\n\r\nx\r\n", ["0", "[]", "1"], id="no length, behind junk"),
        pytest.param(b"junk" * 90_000, ["0", "[]", "1"], id="much junk"),
        pytest.param(b"\n" + b"A: b\r\n" * 90_000, ["0", "[]", "1"], id="many lines"),
    ],
)
@pytest.mark.parametrize("layout", ["plain", "gz whole", "zst whole"])
def test_between_records(layout, junk, found) -> None:
    rows = read(LAYOUTS[layout]([warc("0") + junk + warc("1")]))
    assert names(rows) == found
    assert [r.block for r in rows if not r.trouble] == [b"block", b"block"]


@pytest.mark.parametrize(
    ("junk", "found"),
    [
        pytest.param(b"\0" * 4096, ["0", "1"], id="padding"),
        pytest.param(b"\0" * 9000, ["0", "[]", "1"], id="a hole"),
        pytest.param(NOISE, ["0", "[]", "1"], id="noise"),
        pytest.param(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" * 99, ["0", "[]", "1"], id="heads"),
        pytest.param(gz(b"not a record"), ["0", "[]", "1"], id="a sound member"),
        pytest.param(gz(warc("x"))[:-9], ["0", "[x]", "1"], id="a cut member"),
        pytest.param(gz(warc("x", NOISE))[:9000], ["0", "[x]", "1"], id="half a member"),
        pytest.param(gz(warc("x"))[:-9] + gz(warc("y"))[:-9], ["0", "[x]", "[y]", "1"], id="two cut members"),
        pytest.param(warc("x"), ["0", "[]", "1"], id="a record, not compressed"),
    ],
)  # fmt: skip
def test_between_members(junk, found) -> None:
    rows = read(gz(warc("0")) + junk + gz(warc("1")))
    assert names(rows) == found
    assert [r.offset for r in rows][-1] == len(gz(warc("0")) + junk)
    assert rows[0].length == len(gz(warc("0"))) + (len(junk) if len(found) == 2 else 0)


@pytest.mark.parametrize("make", [gz, zst])
def test_a_broken_member_shows_its_url(make) -> None:
    data = bytearray(make(warc("0")) + make(warc("1", NOISE)) + make(warc("2")))
    data[len(make(warc("0"))) + 40_000] ^= 4
    rows = read(bytes(data))
    assert names(rows) == ["0", "[1]", "2"]
    assert rows[1].trouble
    assert [r.length for r in rows] == [
        len(make(warc(str(i), b))) for i, b in enumerate([b"block", NOISE, b"block"])
    ]


def test_whole_records_before_damage_are_good() -> None:
    texts = [b" ".join(b"%d" % (j * j) for j in range(i * 200, i * 200 + 200)) for i in range(60)]
    data = bytearray(gz(b"".join(warc(str(i), text) for i, text in enumerate(texts))))
    data[len(data) // 2 :] = bytes(99)
    rows = read(bytes(data) + gz(warc("last")))
    good = [r for r in rows if not r.trouble]
    assert 24 <= len(good) <= 34
    assert [r.block for r in good[:20]] == texts[:20]
    assert names(rows)[-1] == "last"


@pytest.mark.parametrize("layout", [k for k in LAYOUTS if k != "gz mixed"])
@pytest.mark.parametrize("make", [warc, arc])
def test_a_file_cut_at_any_byte(layout, make) -> None:
    first = filedesc() if make is arc else warc("i", b"x", "warcinfo")
    parts = [first, *(make(n, b"some text\r\n" * 40) for n in ("http://b/1", "http://b/2"))]
    data = LAYOUTS[layout](parts)
    whole = {r.block for r in read(data)}
    ends = [len(LAYOUTS[layout](parts[:i])) for i in range(4)]
    pad = 4 if layout == "plain" else 0
    for size in range(0, len(data), 1 if len(data) < 600 else 7):
        rows = read(data[:size])
        assert {r.block for r in rows} <= whole | {b""}, "half a block is no block"
        sound = layout in EACH and any(end - pad <= size <= end for end in ends)
        if size and not sound and "blocks" not in layout:
            assert rows[-1].trouble, size
        assert sum(r.trouble is not None for r in rows) <= 1


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        (b"", None), (b"\0" * 5000, "no record found"), (gz(b""), "no record found"), (NOISE, "no record"),
        (b"no WARC at all", "no record"), (b"WARC/1.0\n\nx: y\n", "without Content-Length"), (gz(NOISE), "no record"),
        (b"\x1f\x8b", "no record"), (b"\x1f\x8b\x08", "cut short"), (zst(b""), "no record found"),
    ],
)  # fmt: skip
def test_files_without_records(data, trouble) -> None:
    rows = read(data)
    assert len(rows) == (trouble is not None)
    assert all(trouble in r.trouble for r in rows)


def test_a_file_shorter_than_its_size() -> None:
    data = gz(warc("0"))
    rows = list(records(io.BytesIO(data), len(data) + 50, CAP))
    assert names(rows) == ["0", "[]"]
    assert [r.length for r in rows] == [len(data), 50]
    assert "50 bytes before its size" in str(rows[1].trouble)


def test_errors_of_the_stream_are_raised() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 1 << 20:
                raise ConnectionResetError(size)
            return super().read(size)

    data = b"".join(gz(warc(str(i), NOISE)) for i in range(40))
    with pytest.raises(ConnectionResetError):
        list(records(Broken(data), len(data), CAP))


class Counted(io.BytesIO):
    given = 0

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self.given += len(part)
        return part


HOSTILE = {
    "gzip heads": gz(warc("0")) + b"\x1f\x8b\x08\0\0\0\0\0\0\x03" * 9_000,
    "heads": b"WARC/1.0\r\n" * 20_000,
    "lengths beyond the file": warc("0", length=10**12) * 2000,
    "lengths within the file": warc("0", length=150_000) * 2000,
    "the same, compressed": gz(warc("0", length=150_000) * 6_000),
    "members that break": gz(warc("0")) + gz(warc("1"))[:-9] * 2000,
    "arc": arc(length=99_999) * 3000,
}


@pytest.mark.parametrize("cap", [1000, CAP])
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_work_on_hostile_files_is_bounded(data, cap, monkeypatch) -> None:
    """Bytes read and bytes decompressed, not time."""
    held = Counter()
    real = container.Window.fill

    def fill(window: container.Window, keep: int) -> bool:
        before = window.end
        filled = real(window, keep)
        held["bytes"] += window.end - before
        return filled

    monkeypatch.setattr(container.Window, "fill", fill)
    stream = Counted(data)
    rows = list(records(stream, len(data), cap))
    assert sum(r.length for r in rows) == len(data)
    unpacked = sum(r.unpacked for r in rows)
    assert stream.given <= 6 * len(data) + (32 << 20)
    assert held["bytes"] <= 6 * unpacked + (100 << 20)


@pytest.mark.parametrize("make", [gz, zst])
def test_a_bomb_is_not_held(make, monkeypatch) -> None:
    size, most = 48 << 20, Counter()
    real = container.Window.fill

    def fill(window: container.Window, keep: int) -> bool:
        filled = real(window, keep)
        most["held"] = max(most["held"], len(window.data))
        return filled

    monkeypatch.setattr(container.Window, "fill", fill)
    head = warc("0", b"", length=size).rstrip() + b"\r\n\r\n"
    rows = read(make(head + bytes(size)) + make(warc("1")), cap=1000)
    assert names(rows) == ["0", "1"]
    assert rows[0].too_large
    assert rows[0].unpacked == len(head) + size
    assert rows[0].block == bytes(1000)
    assert most["held"] <= (36 << 20 if make is gz else 140 << 20)


@pytest.mark.skipif(not FILES, reason=f"{WARCS} is not here")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files_have_few_damaged_rows(path) -> None:
    """All are sound but the ones whose names or Content-Length say otherwise."""
    found = Counter(r.kind for r in read(path.read_bytes()))
    damaged = {
        "clipped.warc.gz": 1, "corrupt-middle-cc-dolma-0001.warc.gz": 1, "cut-cc-dolma-0000.warc.gz": 1,
        "ipwb-HTTP204.warc": 2, "ipwb-broken.warc": 1, "ipwb-redirect.warc": 1, "warcio-bad.arc": 3,
    }  # fmt: skip
    assert found[""] == damaged.get(path.name, 0)


@pytest.mark.skipif(not FILES, reason=f"{WARCS} is not here")
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("cc-dolma-0000.warc.gz", {"response": 22, "request": 22, "resource": 2, "warcinfo": 1, "metadata": 1}),
        ("ia-2008-blackbook.warc.gz", {"response": 299, "request": 261, "metadata": 261, "warcinfo": 1}),
        ("ia-2008-blackbook.arc.gz", {"response": 261, "resource": 38, "filedesc": 1}),
        ("whirlwind.warc.wet.gz", {"warcinfo": 1, "conversion": 1}),
        ("odd/corrupt-middle-cc-dolma-0001.warc.gz",
         {"response": 14, "request": 15, "resource": 2, "warcinfo": 1, "metadata": 1, "": 1}),
        ("odd/cut-cc-dolma-0000.warc.gz", {"response": 16, "request": 17, "warcinfo": 1, "": 1}),
        ("odd/clueweb-quirk.warc.gz", {"response": 29, "warcinfo": 1}),
        ("odd/warcio-bad.arc", {"response": 1, "": 3}),
    ],
)  # fmt: skip
def test_counts_of_real_files(name, kinds) -> None:
    assert Counter(r.kind for r in read((WARCS / name).read_bytes())) == kinds


@pytest.mark.skipif(not FILES, reason=f"{WARCS} is not here")
def test_arc_and_warc_of_one_crawl_hold_the_same_pages() -> None:
    arcs = read((WARCS / "ia-2008-blackbook.arc.gz").read_bytes())
    warcs = read((WARCS / "ia-2008-blackbook.warc.gz").read_bytes())
    pages = [(r.headers["warc-target-uri"], r.headers["warc-date"], r.block)
             for r in warcs if r.kind == "response"]  # fmt: skip
    assert [
        (r.headers["warc-target-uri"], r.headers["warc-date"], r.block) for r in arcs[1:]
    ] == pages


@pytest.mark.skipif(not FILES, reason=f"{WARCS} is not here")
def test_records_are_those_fastwarc_reads() -> None:
    from fastwarc.warc import ArchiveIterator

    compared = 0
    for path in FILES:
        data = path.read_bytes()
        rows = read(data, keep=KINDS)
        if not path.name.endswith(".warc.gz") or any(r.trouble for r in rows):
            continue  # fastwarc fails on some of the others
        other = [
            ({k.lower(): v for k, v in reversed(list(r.headers.items()))}, r.reader.read())
            for r in ArchiveIterator(io.BytesIO(data), parse_http=False)
        ]
        assert len(other) == len(rows), path
        for row, (fields, block) in zip(rows, other, strict=True):
            assert row.headers.get("warc-target-uri") == fields.get("warc-target-uri")
            assert row.kind == fields["warc-type"].lower()
            assert row.block == (block[:CAP] if row.kind in KINDS else b"")
        compared += len(rows)
    assert compared > 1000
