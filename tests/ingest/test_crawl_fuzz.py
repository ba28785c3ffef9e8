"""Mutated HTML, HTTP and WARC through the whole of `ingest`: nothing raises, every byte has a row, text is text.

CURATE_FUZZ_SECONDS sets how long (default 1.5; CI takes 60), and then what was read is printed, a JSON line
a test. Case n is always the same: a failure names it.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
import time
import zlib
from collections import Counter

import brotli
import pytest
import zstandard
from shared_data import DATA

SECONDS = float(os.environ.get("CURATE_FUZZ_SECONDS", "1.5"))
FILES = [p for p in sorted([*DATA.glob("warc/*"), *DATA.glob("warc/odd/*")]) if p.is_file()]
SMALL = 60_000
TOKENS = [
    *(b"<", b">", b"</", b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"&", b"&#", b"&#x110000;", b"&nbsp"),
    *(b"<div>", b"</div>", b"<p>", b"<li>", b"<td>", b"<tr>", b"<table>", b"</table>", b"<pre>", b"<a href=", b"<br>"),
    *(b"<script>", b"</script>", b"<style>", b"<title>", b"<svg>", b"<math>", b"</math>", b"<textarea>", b"<template>"),
    *(b'<script type="math/tex">', b'<script type="application/ld+json">{"@type":', b'<span class="katex-html">'),
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80", b"\xc2\xa0", b"\xe4\xb8\xad" * 9, b"\r"),
    *(b"WARC/1.0\r\n", b"Content-Length: 99999999999\r\n", b"Content-Length: -1\r\n", b"\x1f\x8b\x08\x00", b"\r\n\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: br\r\n", b"HTTP/1.1 200\r\n", b"fffffffff\r\n"),
    *(b"charset=utf-16", b"charset=iso-2022-jp", b"\x1b$B", b"<b>" * 60, b"9" * 5000, b"</b>" * 60),
]  # fmt: skip
CODINGS = {
    b"": lambda body: body,
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": lambda body: brotli.compress(body, quality=1),
    b"zstd": zstandard.compress,
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Cut, flip, drop, double or insert at a few places."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        size = min(int(chance.expovariate(1 / 40)), len(data) - at)
        match chance.randrange(6):
            case 0:
                del data[at : at + size]
            case 1:
                data[at:at] = data[at : at + size]
            case 2:
                data[at : at + size] = chance.randbytes(size)
            case 3 | 4:
                data[at:at] = chance.choice(TOKENS)
            case 5 if chance.random() < 0.2:
                del data[at:]
    return bytes(data)


def case(number: int, warc, real: list[bytes]) -> tuple[bytes, dict[str, object]]:
    """Return the file number `number` and the options to read it with."""
    chance = random.Random(number)
    if real and chance.random() < 0.4:
        data = mutated(chance.choice(real), chance)
    else:
        records = []
        for _ in range(chance.randint(1, 4)):
            html = mutated(warc.page * chance.randint(1, 3), chance)
            coding = chance.choice(list(CODINGS))
            head = warc.html + (b"Content-Encoding: " + coding + b"\r\n" if coding else b"")
            body = CODINGS[coding](html)
            if chance.random() < 0.4:
                head = mutated(head, chance)
            if chance.random() < 0.3:
                body = mutated(body, chance)
            record = warc.response(body, head)
            records.append(gzip.compress(record, mtime=0) if number % 2 else record)
        data = b"".join(records)
        if chance.random() < 0.4:
            data = mutated(data, chance)
    options = {"markup": chance.choice(["plain", "markdown"]), "comments": chance.random() < 0.3}
    return data, options | {"max_record_bytes": chance.choice([2000, 1 << 20])}


@pytest.mark.parametrize("first", [0, 500_000, 1_000_000])
def test_whatever_a_file_holds(warc, first, capsys) -> None:
    real = [p.read_bytes() for p in FILES if p.stat().st_size < SMALL]
    for markup in ("plain", "markdown"):  # compiles what the cases use, before the time counts
        entities = warc.page.replace(b"winter", b"w&#105;nter&amp;")
        warc.rows(warc.response(entities), "a.warc", markup=markup, comments=True)
    reasons: Counter[str | None] = Counter()
    end = time.monotonic() + SECONDS / 3
    number = first
    read: Counter[str] = Counter()
    slowest = 0.0
    while time.monotonic() < end:
        data, options = case(number, warc, real)
        if data:
            began = time.process_time()
            try:
                rows = warc.rows(data, "a.warc", **options)
            except Exception as error:  # noqa: BLE001 - whatever it is, the case that raised it must be named
                pytest.fail(f"case {number}: {type(error).__name__}: {error}")
            slowest = max(slowest, time.process_time() - began)
            read.update(files=1, bytes=len(data), rows=rows.height)
            assert rows["record_bytes"].sum() == len(data), f"case {number}"
            assert rows["doc_id"].n_unique() == rows.height, f"case {number}"
            assert rows["locator"].n_unique() == rows.height, f"case {number}"
            assert (rows["text"].is_null() == rows["rejected_by"].is_not_null()).all()
            reasons.update(rows["rejected_by"].to_list())
        number += 1
    if "CURATE_FUZZ_SECONDS" in os.environ:
        line = {"first": first, **read, "kept": reasons[None], "slowest_cpu_s": round(slowest, 2)}
        with capsys.disabled():
            sys.stdout.write(f"{json.dumps(line)}\n")
    assert reasons[None] > 0
    assert len(reasons) > 4
