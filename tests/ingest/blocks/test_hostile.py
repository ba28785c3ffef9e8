"""Pages made to cost: what is refused, what is bounded, and that nothing grows faster than the page."""

from __future__ import annotations

import time

import numpy as np
import pytest

from curation_dagster.ingest.blocks import extract, scan_kernel, scratch, tag_kernel

OK, ELEMENTS, BLOCKS = (
    scan_kernel.OK, scan_kernel.TOO_MANY_ELEMENTS, scan_kernel.TOO_MANY_BLOCKS,
)  # fmt: skip
DEEP = b"<div>" * 399


@pytest.mark.parametrize(
    ("page", "status"),
    [
        pytest.param(b"<i></i>" * (scratch.MAX_ELEMENTS - 1), OK, id="as many elements as may be"),
        pytest.param(b"<i></i>" * scratch.MAX_ELEMENTS, ELEMENTS, id="one more"),
        pytest.param(b"<hr>x" * scratch.MAX_BLOCKS, OK, id="as many blocks as may be"),
        pytest.param(b"<hr>x" * (scratch.MAX_BLOCKS + 1), BLOCKS, id="one more block, at the end"),
        pytest.param(b"<hr>x" * (scratch.MAX_BLOCKS + 2), BLOCKS, id="two more"),
        pytest.param(b"<div>" * 1_000_000, OK, id="deeper than elements count"),
    ],
)
def test_what_is_refused(page: bytes, status: int) -> None:
    assert scratch.scan(page).status == status


@pytest.mark.parametrize("size", [100, 1 << 12, 1 << 22, 1 << 23])
def test_the_caps_do_not_depend_on_the_buffers(size: int) -> None:
    text, blocks, tags, *_, facts = scratch._allocated(size)
    assert len(text) == size + 64
    assert len(blocks) >= min(size // 4 + 1, scratch.MAX_BLOCKS)
    assert len(tags) >= min(size // 3 + 1, scratch.MAX_ELEMENTS)
    assert len(facts) == scan_kernel.MAX_FACTS


@pytest.mark.parametrize("tag", [b"div", b"b", b"font", b"a", b"ul", b"table", b"x-y"])
def test_depth_is_capped(tag: bytes) -> None:
    found = scratch.scan(b"<%s><i>" % tag * 2000 + b"x")
    depth, element = 0, int(found.blocks[-1, scan_kernel.ELEMENT])
    while element > 0:
        depth, element = depth + 1, int(found.parents[element])
    assert depth == scan_kernel.MAX_DEPTH


@pytest.mark.parametrize(
    ("page", "text"),
    [
        pytest.param(b"<svg>x" * 5000, b"x" * 5000, id="unclosed svg"),
        pytest.param(b"<textarea>x" * 5000, b"x" * 5000, id="unclosed textarea"),
        pytest.param(b"<math>x" * 5000, b"x" * 5000, id="unclosed math"),
        pytest.param(b"<!-->x" * 5000, b"x" * 5000, id="comments of no length"),
        pytest.param(b"<!--x>y" * 5000, b"y" * 5000, id="unclosed comments"),
        pytest.param(b"<script>" + b"</" * 5000, b"", id="ends of nothing"),
        pytest.param(b"<" * 5000, b"<" * 4999, id="less-than signs"),
        pytest.param(b"&" * 5000, b"&" * 5000, id="ampersands"),
        pytest.param(b"\0" * 5000, b"", id="NULs"),
        pytest.param(b'<a x="' + b"y" * 5000 + b'">z', b"z", id="a long attribute"),
        pytest.param(b"<a" + b" class=x" * 5000 + b">z", b"z", id="many attributes"),
        pytest.param(b'<p class="' + b"ab " * 5000 + b'">z', b"z", id="a long class"),
        pytest.param(b"<a " + b"=" * 5000 + b">z", b"z", id="equals signs"),
    ],
)
def test_text_of_what_does_not_end(page: bytes, text: bytes) -> None:
    assert scratch.scan(page).text.tobytes() == text


def test_a_class_is_read_up_to_a_length() -> None:
    found = scratch.scan(b'<p class="' + b"ab " * 5000 + b'">z')
    assert len(found.classes) == tag_kernel.MAX_CLASS_BYTES // 3


def seconds(page: bytes) -> float:
    html, buffers = np.frombuffer(page, np.uint8), scratch._allocated(len(page))
    scan_kernel.scan(html[:10], *buffers)
    started = time.process_time()
    scan_kernel.scan(html, *buffers)
    return time.process_time() - started


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(DEEP + b"</p>" * 1_000_000, id="end tags of nothing, deep"),
        pytest.param(DEEP + b"</a>" * 1_000_000, id="inline end tags, deep"),
        pytest.param(
            b"<p><table><tr><td>" + DEEP[:1900] + b"</p>" * 1_000_000, id="kept in a cell"
        ),
        pytest.param(b"<li><ul>" + DEEP + b"<li>" * 1_000_000, id="items below the cap"),
        pytest.param(DEEP + b"<b><dd>" * 600_000, id="dd below the cap"),
        pytest.param(b"<script>" + b"</scrip" * 600_000, id="all but an end"),
        pytest.param(b"<style>" + b"<" * 4_000_000, id="less-than signs in a style"),
        pytest.param(b"<!--x>" * 60_000, id="unclosed comments"),
        pytest.param(b"<svg><math><textarea><title>" * 150_000, id="raw elements without an end"),
        pytest.param(b"<math>" + b"application/x-te " * 250_000 + b"</math>", id="all but TeX"),
    ],
)
def test_no_page_costs_more_than_a_constant_a_byte(page: bytes) -> None:
    """Scan 4 MB: 60 ms is ten times what plain pages of that size take; what is quadratic takes minutes."""
    assert seconds(page) < 0.06 * 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<div>" * 390 + b"<p>x</p>" * 190_000, id="deep blocks"),
        pytest.param(b"<table><tr><td>" * 130 + b"<td>x" * 190_000, id="cells of one row"),
        pytest.param(b"<ol>" * 390 + b"<li>x" * 190_000, id="numbered items"),
        pytest.param(b"<p>" + b"word, " * 3_000_000, id="one long paragraph"),
    ],
)
def test_main_text_of_the_largest_pages(page: bytes) -> None:
    started = time.process_time()
    extract.main_text(scratch.scan(page), markdown=True)
    assert time.process_time() - started < 20
