"""What a page holds for its layout: text that stands twice, and text out of sight."""

import numpy as np
import pytest

from curation_dagster.ingest.blocks import scratch
from curation_dagster.ingest.blocks.extract import twins

TEXT = "Make each cup of tea feel special"
OTHER = "Suitable for use in dishwashers and ovens"


def pairs(page: str) -> list[tuple[int, int]]:
    found = twins(scratch.scan(page.encode()))
    return [(k, int(first)) for k, first in enumerate(found.tolist()) if first >= 0]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(
            f"<div class=wide><p>{TEXT}</p></div><div class=narrow><p>{TEXT}</p></div>", [(1, 0)],
            id="for two widths",
        ),
        pytest.param(
            f"<div class=wide><p>{TEXT}<p>{OTHER}</div><div id=narrow><p>{TEXT}<p>{OTHER}</div>"
            f"<div class=print><p>{TEXT}</div>", [(2, 0), (3, 1), (4, 0)], id="three times, and runs",
        ),
        pytest.param(f"<div class=wide><p>{TEXT}</p><p>{TEXT}</p></div>", [], id="in one element"),
        pytest.param(f"<div><p>{TEXT}</p></div><div><p>{TEXT}</p></div>", [], id="in plain ones"),
        pytest.param(
            f"<div class=both><div><p>{TEXT}</p></div><div><p>{TEXT}</p></div></div>", [],
            id="plain below what they share",
        ),
        pytest.param(
            "<b class=wide><p>Four words it has</p></b><b class=narrow><p>Four words it has</p></b>",
            [], id="short",
        ),
        pytest.param(
            f"<div class=wide><pre>{TEXT}</pre></div><div class=narrow><pre>{TEXT}</pre></div>", [], id="code"
        ),
        pytest.param(
            f"<div class=wide><p>{TEXT}</p></div><div class=narrow><p>{TEXT}!</p></div>", [], id="not the same"
        ),
        pytest.param("", [], id="nothing"),
    ],
)  # fmt: skip
def test_twins(page: str, expected: list[tuple[int, int]]) -> None:
    assert pairs(page) == expected


def settled(page: str, p: list[float]) -> list[float]:
    from curation_dagster.ingest.blocks import twins_kernel

    scanned = scratch.scan(page.encode())
    values = np.array(p, np.float32)
    twins_kernel.settle(scanned.blocks, scanned.flags, twins(scanned), values)
    return [round(float(v), 2) for v in values]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param((125, 10), [0.8, 0.0], id="100 expected in sight"),
        pytest.param((124, 10), [0.8, 0.9], id="99.2 in sight"),
        pytest.param((200, 444), [0.8, 0.0], id="not most of it hidden"),
        pytest.param((200, 446), [0.8, 0.9], id="most of it hidden"),
    ],
)
def test_hidden_text(words: tuple[int, int], expected: list[float]) -> None:
    page = f"<p>{'see ' * words[0]}</p><p style='display:none'>{'not ' * words[1]}</p>"
    assert settled(page, [0.8, 0.9]) == expected


def test_the_first_of_twins_stands_for_the_best() -> None:
    page = f"<div class=wide><p>{TEXT}</p></div><div class=narrow><p>{TEXT}</p></div><p>{OTHER}</p>"
    assert settled(page, [0.2, 0.7, 0.4]) == [0.7, 0.0, 0.4]
