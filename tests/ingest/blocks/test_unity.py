"""Titles and terms that are kept with what they name, and those that are not; definition lists by a slow oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.ingest.blocks import markup, scan_kernel, scratch, unity_kernel

DT, DD = markup.TAG["dt"], markup.TAG["dd"]


def kept(page: str, letters: str, p: dict[str, float] | None = None) -> str:
    """Keep the blocks with these texts, complete them, and return the texts of those that are kept then."""
    found = scratch.scan(page.encode())
    text = found.text.tobytes().decode()
    spans = found.blocks[:, [scan_kernel.START, scan_kernel.END]].tolist()
    texts = [text[start:end].strip() for start, end in spans]
    keep = np.array([t in letters for t in texts], np.bool_)
    chances = np.array([(p or {}).get(t, 0.1) for t in texts], np.float32)
    unity_kernel.complete(found.blocks, found.tags, found.parents, chances, keep)
    return "".join(t for t, is_kept in zip(texts, keep, strict=True) if is_kept)


@pytest.mark.parametrize(
    ("page", "keep", "expected"),
    [
        pytest.param("<div><h1>t</h1><p>a</p><p>b</p></div>", "ab", "tab", id="a title"),
        pytest.param("<section><h1><a><b>t</b></a></h1>a<p>b</section>", "ab", "tab", id="text of its parent"),
        pytest.param("<div><h1>t</h1><p>a</p></div>", "", "", id="nothing kept"),
        pytest.param("<div><h2>t</h2><p>a</p></div>", "a", "a", id="no h1"),
        pytest.param("<div><h1>t</h1><p>x</p><p>a</p></div>", "a", "a", id="something between"),
        pytest.param("<div><h1>t</h1><div><p>a</p></div></div>", "a", "a", id="a container between"),
        pytest.param("<h1>t</h1><p>a</p>", "a", "a", id="no parent"),
        pytest.param("<div><p>a</p><h1>t</h1><p>b</p></div>", "ab", "ab", id="in the middle"),
        pytest.param("<div><h1>t</h1><p>a</p></div>" + "<p>b</p>" * 9, "ab", "a" + "b" * 9, id="a small part"),
        pytest.param("<div><h1>t</h1>" + "<p>a</p>" * 9 + "</div><p>b</p>", "ab", "taaaaaaaaab", id="nine tenths"),
        pytest.param("<div><h1>t</h1>" + "<p>a</p>" * 8 + "</div><p>b</p>", "ab", "aaaaaaaab", id="eight ninths"),
        pytest.param("<dl><dt>s<dd>a</dl>", "a", "sa", id="a term"),
        pytest.param("<dl><dt>s<dt>t<dd>a<dd>b</dl>", "b", "stb", id="terms of two definitions"),
        pytest.param("<dl><dt>s<dd>a<dt>t<dd>b</dl>", "b", "tb", id="of the next group"),
        pytest.param("<dl><div><dt>s<dd>a</div><div><dt>t<dd>b</div></dl>", "a", "sa", id="groups in div"),
        pytest.param("<dl><dt>s<dd>a<dl><dt>t<dd>b</dl></dl>", "b", "stb", id="terms around a definition"),
        pytest.param("<dl><dt>s<dd>a<dl><dt>t<dd>b</dl></dl>", "a", "sa", id="terms inside one"),
        pytest.param("<dl><dt>s<p>x</p><dd>a</dl>", "a", "sxa", id="a term of two blocks"),
        pytest.param("<dl><dt>s<dd>a</dl>", "s", "s", id="no definition of a term"),
        pytest.param("<dl><dd>a<dt>s</dl>", "a", "a", id="a term behind"),
        pytest.param("<dl><dd>a<dd>b<dt>s<dd>c</dl>", "b", "b", id="definitions without a term"),
        pytest.param("<div><h1>t</h1><dl><dt>s<dd>a</dl></div>", "a", "sa", id="a list is a container"),
    ],
)  # fmt: skip
def test_what_is_kept_with_it(page: str, keep: str, expected: str) -> None:
    assert kept(page, keep) == expected


@pytest.mark.parametrize("name", ["t", "s"])
def test_what_is_hidden_or_stands_twice_stays_out(name: str) -> None:
    page = "<div><h1>t</h1>a<dl><dt>s<dd>b</dl></div>"
    assert kept(page, "ab") == "tasb"
    assert kept(page, "ab", {name: 0.0}) == "tasb".replace(name, "")


def oracle(found: scratch.Scanned, keep: np.ndarray) -> list[bool]:
    """Climb from every block of a term, and look through the siblings."""
    tags, parents = found.tags.tolist(), found.parents.tolist()
    elements = found.blocks[:, scan_kernel.ELEMENT].tolist()

    def above(e: int) -> list[int]:
        return [e, *above(parents[e])] if e > 0 else []

    live = {a for e, is_kept in zip(elements, keep, strict=True) if is_kept for a in above(e)}
    result = []
    for e, is_kept in zip(elements, keep, strict=True):
        term = next((a for a in above(e) if tags[a] in {DT, DD}), 0)
        named = False
        if term and tags[term] == DT:
            siblings = [
                s
                for s in range(1, len(tags))
                if parents[s] == parents[term] and tags[s] in {DT, DD}
            ]
            at = siblings.index(term)
            while at < len(siblings) and tags[siblings[at]] == DT:
                at += 1
            while at < len(siblings) and tags[siblings[at]] == DD:
                named |= siblings[at] in live
                at += 1
        result.append(bool(is_kept) or named)
    return result


PIECES = st.sampled_from("<dl> </dl> <dt> <dd> </dt> </dd> <div> </div> <p> a bb".split())


@given(st.lists(PIECES, max_size=40).map("".join), st.randoms(use_true_random=False))
def test_terms_are_those_of_the_oracle(page: str, chance) -> None:
    found = scratch.scan(page.encode())
    keep = np.array([chance.random() < 0.3 for _ in range(len(found.blocks))], np.bool_)
    expected = oracle(found, keep)
    p = np.full(len(keep), 0.1, np.float32)
    unity_kernel.complete(found.blocks, found.tags, found.parents, p, keep)
    assert keep.tolist() == expected
