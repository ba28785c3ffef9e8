"""Customers' reviews are comments: which sections are, and what becomes of them."""

import numpy as np
import pytest

from curation_dagster.ingest.blocks import extract, scratch
from curation_dagster.ingest.blocks.extract import main_text, reviews

REVIEW = "<div class=review><b class=review-author>Ann</b><p class=review__text>{}</p></div>"
SENTENCES = (
    "Each mug is made of steel and dipped three times into white enamel, which is why no two of them are alike.",
    "The rim is rolled by hand and coloured blue, and the handle is riveted and stays cool when the mug is full.",
    "It holds four hundred millilitres, may be used on an open fire, and does not mind a fall onto the kitchen floor.",
    "Where the enamel chips the steel may rust, so dry it well; in the dishwasher it loses its shine after some years.",
)
OPINION = "It arrived quickly and looks great in our kitchen."


def marked(page: str) -> list[bool]:
    return [bool(found) for found in reviews(scratch.scan(page.encode()))]


def section(items: int, name: str = "reviews") -> str:
    return f"<div class={name}>" + "<p class=review>Good" * items + "</div>"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("<p>Text</p>" + section(9), [False] + [True] * 9, id="ten elements named so"),
        pytest.param("<p>Text</p>" + section(8), [False] * 9, id="nine"),
        pytest.param(f"<div class=review><h1>Text</h1>{section(9)}</div>", [False] * 10, id="around the h1"),
        pytest.param(f"<h1>Text</h1>{section(9)}", [False] + [True] * 9, id="below the h1"),
        pytest.param(section(9) + section(3), [True] * 9 + [False] * 3, id="each section for itself"),
        pytest.param("<div class=testimonials>" + "<p class=testimonial>Good" * 20 + "</div>", [False] * 20,
                     id="testimonials are what a service says of itself"),
        pytest.param(section(9, "customerReviews"), [True] * 9, id="camel case"),
        pytest.param(section(9, "preview"), [False] * 9, id="another word"),
        pytest.param("", [], id="nothing"),
    ],
)  # fmt: skip
def test_sections(page: str, expected: list[bool]) -> None:
    assert marked(page) == expected


def sold(sentences: int) -> str:
    said = "".join(f"<p>{s}</p>" for s in SENTENCES[:sentences])
    return (
        f"<html><body><h1>Enamel mug</h1><div class=description>{said}</div>"
        f"<div class=reviews>{REVIEW.format(OPINION) * 6}</div></body></html>"
    )


@pytest.mark.parametrize(
    ("sentences", "comments", "is_kept"),
    [
        pytest.param(4, False, False, id="below a text"),
        pytest.param(4, True, True, id="asked for"),
        pytest.param(0, False, True, id="little else"),
    ],
)
def test_reviews_are_comments(
    monkeypatch: pytest.MonkeyPatch, sentences: int, comments: bool, is_kept: bool
) -> None:
    monkeypatch.setattr(
        extract, "probabilities", lambda page, _: np.full(len(page.blocks), 0.9, np.float32)
    )
    assert (
        OPINION in main_text(scratch.scan(sold(sentences).encode()), comments=comments)
    ) is is_kept
