"""The shipped model on plain pages, and what surrounds it: entities, comments, the page's own description."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from curation_dagster.ingest.blocks import extract, scratch
from curation_dagster.ingest.blocks.extract import main_text, tags, unescape

SENTENCES = (
    "The harbour of the old town was rebuilt after the storm, and the fishermen returned in spring.",
    "Its three piers reach far into the bay &mdash; the longest of them, finished in 1894, holds the light.",
    "Visitors who arrive early can watch the boats come in, which they have done for two hundred years.",
    "In winter the harbour freezes over; then the sledges of the islanders cross the ice to the market.",
    "Nobody remembers who planted the lime trees along the quay, although every child can name them.",
    "The council has promised to repair the sea wall before the next autumn, at a cost of two million.",
)
COMMENTS = (
    "I was there last summer and the light at the end of the pier is really worth the walk.",
    "My grandfather was one of those fishermen, thank you very much for writing this down.",
)
MENU = "".join(
    f"<li><a href=/{name}>{name.title()}</a></li>" for name in ("home", "news", "shop", "contact")
)
ARTICLE = (
    "<html lang=en><head><title>The harbour</title><meta name=description content='About a harbour.'>"
    f"</head><body><header><nav><ul class=menu>{MENU}</ul></nav></header>"
    "<div class='sidebar'><h3>Related</h3><ul><li><a href=/a>Ten towns to see</a><li><a href=/b>Trains</a></ul></div>"
    "<article class='post-content'><h1>The harbour</h1>"
    + "".join(f"<p>{sentence} {SENTENCES[0]}</p>" for sentence in SENTENCES)
    + "</article><div id=comments class='comment-list'>"
    + "".join(f"<div class=comment><p>{comment}</p></div>" for comment in COMMENTS)
    + "</div><footer><p>Copyright 2020 Example Ltd. All rights reserved.</p><a href=/privacy>Privacy policy</a>"
    "</footer></body></html>"
)


def text_of(page: str, **options: Any) -> str:
    return main_text(scratch.scan(page.encode()), **options)


def test_an_article_is_found_and_what_surrounds_it_is_not() -> None:
    text = text_of(ARTICLE)
    for sentence in SENTENCES:
        assert unescape(sentence.encode()) in text
    for other in ("Home", "Contact", "Privacy", "Copyright", "Ten towns"):
        assert other not in text


def test_markdown_differs_in_marks_only() -> None:
    plain, marked = text_of(ARTICLE), text_of(ARTICLE, markdown=True)
    assert marked.replace("# ", "") == plain


def test_comments_are_added_where_they_stand() -> None:
    text = text_of(ARTICLE, comments=True)
    assert text.startswith(text_of(ARTICLE, comments=False)[:500])
    for comment in COMMENTS:
        assert comment in text


@pytest.mark.parametrize(
    ("page", "is_comment"),
    [
        pytest.param("<div class=comment>one two three four five", True, id="five words"),
        pytest.param("<div class=comment>one two three four", False, id="four words"),
        pytest.param("<div class=post>one two three four five", False, id="no comment"),
        pytest.param("<div class=comment><a href=x>one two three</a> four five", False, id="links"),
        pytest.param("<div class=comment><a href=x>one two</a> three four five", True, id="a link"),
    ],
)
def test_which_blocks_are_comments(page: str, is_comment: bool) -> None:
    assert extract._comments(scratch.scan(page.encode())).tolist() == [is_comment]


@pytest.mark.parametrize("page", ["", " ", "<html></html>", "<script>x</script>", "<p></p>"])
def test_nothing_comes_of_nothing(page: str) -> None:
    assert text_of(page) == ""


def test_a_page_is_judged_alone() -> None:
    first = text_of(ARTICLE)
    text_of("<p>other</p>" * 500)
    assert text_of(ARTICLE) == first
    page = scratch.scan(ARTICLE.encode())
    once, again = (extract.probabilities(page, extract.load()) for _ in range(2))
    assert np.array_equal(once, again)
    assert ((once >= 0) & (once <= 1)).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a", "a", id="none"),
        pytest.param("a &amp; b &lt;c&gt;", "a & b <c>", id="named"),
        pytest.param("&#233;&#xE9;&#XE9;", "ééé", id="numeric"),
        pytest.param("&#65", "A", id="without a semicolon"),
        pytest.param("&#128512; &#x1F600;", "😀 😀", id="astral"),
        pytest.param("&#99999999;", "\ufffd", id="eight digits"),
        pytest.param("&#999999999;", "\ufffd", id="nine digits"),
        pytest.param(f"a&#{'9' * 5000};b", "a\ufffdb", id="5000 digits"),
        pytest.param(f"&#x{'f' * 5000} b", "\ufffd b", id="5000 hex digits"),
        pytest.param("&#xD800;&#0;", "\ufffd\ufffd", id="no characters"),
        pytest.param("&nosuch; & &;", "&nosuch; & &;", id="unknown"),
    ],
)
def test_entities(text: str, expected: str) -> None:
    assert unescape(text.encode()) == expected


@pytest.mark.parametrize(
    ("description", "text", "expected"),
    [
        pytest.param("", "x", "x", id="none"),
        pytest.param("...", "x", "x", id="no word"),
        pytest.param("a b", "x", "a b\n\nx", id="put before"),
        pytest.param("a b", "", "a b", id="alone"),
        pytest.param("a b c D e", "A, b: c d.", "A, b: c d.", id="four words of five"),
        pytest.param("a b c d", "a b c", "a b c d\n\na b c", id="three of four"),
    ],
)
def test_a_short_text_gets_the_description(description: str, text: str, expected: str) -> None:
    assert extract._described(text, description) == expected


def test_a_long_text_does_not() -> None:
    said = "About a harbour."
    assert said not in text_of(ARTICLE, description=said)
    assert said in text_of("<p>Page not found</p>", description=said)


def test_tags_are_those_of_the_page() -> None:
    said = tags(scratch.scan(ARTICLE.encode()))
    assert (said.lang, said.title) == (b"en", b"The harbour")
    assert said.metas == [(b"description", b"About a harbour.")]


def test_every_feature_is_measured() -> None:
    """A column nobody writes holds what the memory held before."""
    from curation_dagster.ingest.blocks import features, features_kernel, hindsight_kernel

    page = scratch.scan(ARTICLE.encode())
    n, n_sight = len(page.blocks), len(features.SIGHT)
    seen = np.full((n, n_sight), np.nan, np.float32)
    features_kernel.see(
        page.html, page.text, page.blocks, page.tags, page.parents, page.flags, page.signatures,
        page.class_from, page.class_to, page.classes, page.hashes, page.facts, len(page.facts),
        np.zeros(1 << 16, np.float32), seen,
    )  # fmt: skip
    assert [features.SIGHT[c] for c in np.flatnonzero(np.isnan(seen).any(axis=0))] == []
    back = np.full((n, len(features.HINDSIGHT)), np.nan, np.float32)
    hindsight_kernel.look_back(
        page.blocks,
        page.tags,
        page.parents,
        page.flags,
        page.signatures,
        np.full(n, 0.5, np.float32),
        back,
    )
    assert [features.HINDSIGHT[c] for c in np.flatnonzero(np.isnan(back).any(axis=0))] == []


def test_a_model_of_other_features_is_refused(tmp_path, monkeypatch) -> None:
    from curation_dagster.errors import IntegrityError
    from curation_dagster.ingest.blocks import features, model

    shipped = model.load()
    model.save(shipped, tmp_path / "same.npz")
    again = model.load(tmp_path / "same.npz")
    assert (again.sight.thresholds == shipped.sight.thresholds).all()
    assert (tmp_path / "same.npz").read_bytes() == model.PATH.read_bytes()
    monkeypatch.setattr(features, "SIGHT", (*features.SIGHT, "one_more"))
    model.save(shipped, tmp_path / "other.npz")
    monkeypatch.undo()
    with pytest.raises(IntegrityError, match="fitted to other features"):
        model.load(tmp_path / "other.npz")
