"""What the scanner makes of HTML: tables of small pages, and what holds for every page."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.ingest.blocks import markup, scan_kernel, scratch
from curation_dagster.ingest.blocks.extract import tags

KATEX = (
    '<span class="katex"><span class="katex-mathml"><math><mi>x</mi>'
    '<annotation encoding="application/x-tex"> x^2 </annotation></math></span>'
    '<span class="katex-html" aria-hidden="true"><span>x<i>2</i></span></span></span>'
)
MATHJAX_2 = (
    '<span class="MathJax_Preview">x2</span><span class="MathJax" id="m"><span>x2</span></span>'
    '<script type="math/tex">x^2</script>'
)
MATHJAX_3 = (
    '<mjx-container class="MathJax"><mjx-math><mjx-mi>X</mjx-mi></mjx-math>'
    "<mjx-assistive-mml><math><mi>x</mi><mo>=</mo><mn>2</mn></math></mjx-assistive-mml></mjx-container>"
)


def scan(page: str) -> scratch.Scanned:
    return scratch.scan(page.encode())


def texts(page: str) -> list[str]:
    found = scan(page)
    text = found.text.tobytes()
    spans = found.blocks[:, [scan_kernel.START, scan_kernel.END]].tolist()
    return [text[start:end].decode().rstrip() for start, end in spans]


def column(page: str, *names: str) -> list[int]:
    [row] = scan(page).blocks.tolist()
    return [row[getattr(scan_kernel, name)] for name in names]


def paths(page: str) -> list[str]:
    """Return the open tags of each block."""
    found = scan(page)
    out = []
    for element in found.blocks[:, scan_kernel.ELEMENT].tolist():
        path, e = [], element
        while e > 0:
            path.append(markup.TAGS[found.tags[e]])
            e = int(found.parents[e])
        out.append("/".join(reversed(path)))
    return out


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(" \n\t", [], id="blank"),
        pytest.param("<p></p><div> </div>", [], id="nothing in it"),
        pytest.param("a", ["a"], id="no tag"),
        pytest.param("<P>a</P><DIV>b</DIV>", ["a", "b"], id="upper case"),
        pytest.param("<p> a\n\t b </p>", ["a b"], id="white space"),
        pytest.param("a <b> b </b> c", ["a b c"], id="white space at inline tags"),
        pytest.param("wo<b>r</b>d", ["word"], id="inline tags join"),
        pytest.param("a<x-y>b</x-y>c", ["a", "b", "c"], id="a custom element is a block"),
        pytest.param("a<blink>b</blink>c", ["abc"], id="an unknown element is inline"),
        pytest.param("a<hr>b", ["a", "b"], id="hr"),
        pytest.param("a<br>b", ["a\nb"], id="br"),
        pytest.param("a <br> b", ["a\nb"], id="br among spaces"),
        pytest.param("a<br>\n<br />b", ["a", "b"], id="two br"),
        pytest.param("a<br>x<br>b", ["a\nx\nb"], id="two br apart"),
        pytest.param("a</br>b", ["a\nb"], id="br as an end tag"),
        pytest.param("a<wbr>b<img src=x>c", ["abc"], id="void elements"),
        pytest.param("x</p></span></td>y", ["x", "y"], id="stray end tags"),
        pytest.param("<div><p><b>a", ["a"], id="nothing closed"),
        pytest.param("</body></html>a", ["a"], id="behind the body"),
        pytest.param("a < b <3 <", ["a < b <3"], id="a lone less-than"),
        pytest.param("a</ b>c</>d", ["acd"], id="end tags without a name"),
        pytest.param("a</", ["a"], id="cut in an end tag"),
        pytest.param("a<b", ["a"], id="cut in a name"),
        pytest.param("a<b c", ["a"], id="cut in an attribute"),
        pytest.param("a<!", ["a"], id="cut in a declaration"),
        pytest.param("<!DOCTYPE html>a", ["a"], id="doctype"),
        pytest.param("<?xml version='1'?>a", ["a"], id="processing instruction"),
        pytest.param("a\0b", ["ab"], id="NUL"),
        pytest.param("a&nbsp;&#160;b&#xA0;c\u00a0d", ["a b c d"], id="no-break spaces"),
        pytest.param("a&amp;b &lt;p&gt; & c", ["a&amp;b &lt;p&gt; & c"], id="entities stay"),
        pytest.param("港\u3000口\u2003x", ["港 口 x"], id="wide spaces"),
        pytest.param("x" * 100_000, ["x" * 100_000], id="a very long line"),
        pytest.param("😀 <p>é", ["😀", "é"], id="emoji"),
    ],
)
def test_text(page: str, expected: list[str]) -> None:
    assert texts(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("a<!-- <p>x -->b", ["ab"], id="comment"),
        pytest.param("a<!---->b", ["ab"], id="empty"),
        pytest.param("a<!-->b", ["ab"], id="shorter"),
        pytest.param("a<!--->b-->", ["ab-->"], id="short"),
        pytest.param("a<!-- x --!>b", ["ab"], id="ends with a bang"),
        pytest.param("a<!-- x -- > y -->b", ["ab"], id="dashes inside"),
        pytest.param("a<!-- x <i>y</i>", ["ay"], id="unclosed hides a tag"),
        pytest.param("a<!-- x --<i>y</i> <!-- z", ["ay"], id="two unclosed"),
        pytest.param("a<![CDATA[x]]>b", ["ab"], id="CDATA"),
        pytest.param("a<script>x<p>y</script>b", ["a b"], id="script"),
        pytest.param("a<SCRIPT>x</scripty>y</Script\n>b", ["a b"], id="its own end only"),
        pytest.param("a<script/>x</script>b", ["a b"], id="a script does not close itself"),
        pytest.param("a<script>x", ["a"], id="unclosed script"),
        pytest.param("a<style>x", ["a"], id="unclosed style"),
        pytest.param("a<textarea>x</textarea>b", ["a b"], id="textarea"),
        pytest.param("a<textarea>x", ["ax"], id="unclosed textarea"),
        pytest.param("a<title>x", ["ax"], id="unclosed title"),
        pytest.param("a<svg><text>x</text></svg>b", ["a b"], id="svg"),
        pytest.param("a<svg><p>x", ["a", "x"], id="unclosed svg"),
        pytest.param("a<svg/>b", ["ab"], id="empty svg"),
        pytest.param("</script>a</svg>", ["a"], id="stray ends"),
        pytest.param("<noscript>a</noscript>", ["a"], id="noscript"),
    ],
)
def test_what_is_hidden(page: str, expected: list[str]) -> None:
    assert texts(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("<pre>\n\n  a\n    b\n</pre>", ["  a\n    b"], id="lines and indents"),
        pytest.param("<pre> \n  a</pre>", ["  a"], id="a blank first line"),
        pytest.param("<pre>a\r\nb\rc</pre>", ["a\nb\nc"], id="line ends"),
        pytest.param("<pre>\ta&nbsp;b  c</pre>", ["\ta b  c"], id="tabs and no-break spaces"),
        pytest.param("<pre>a<br>  b</pre>", ["a\n  b"], id="br"),
        pytest.param("<pre>a<i> b </i> c</pre>d  e", ["a b  c", "d e"], id="ends"),
        pytest.param("<pre>a<script>\n</script>b</pre>", ["ab"], id="script"),
    ],
)
def test_pre(page: str, expected: list[str]) -> None:
    assert texts(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("<p>a<p>b", ["p", "p"], id="p"),
        pytest.param("<p><b>a<div>c", ["p/b", "div"], id="div ends p"),
        pytest.param("<ul><li>a<li>b</ul>c", ["ul/li", "ul/li", ""], id="li"),
        pytest.param("<ul><li>a<ul><li>b</ul><li>c", ["ul/li", "ul/li/ul/li", "ul/li"], id="lists"),
        pytest.param("<menu><li>a<menu><li>b", ["menu/li", "menu/li/menu/li"], id="menus"),
        pytest.param("<ul><li><div>a<li>b", ["ul/li/div", "ul/li"], id="li past div"),
        pytest.param("<dl><dt>a<dd>b<dt>c", ["dl/dt", "dl/dd", "dl/dt"], id="dt dd"),
        pytest.param(
            "<dl><dd>a<dl><dd>b</dl>c", ["dl/dd", "dl/dd/dl/dd", "dl/dd"], id="dl inside dd"
        ),
        pytest.param(
            "<table><tr><td>a<th>b<tr><td>c</table>d",
            ["table/tr/td", "table/tr/th", "table/tr/td", ""],
            id="cells and rows",
        ),
        pytest.param(
            "<table><tr><td><table><tr><td>a</table>b<td>c",
            ["table/tr/td/table/tr/td", "table/tr/td", "table/tr/td"],
            id="tables",
        ),
        pytest.param(
            "<table><tr><td>a</div>b", ["table/tr/td"] * 2, id="a cell keeps its end tags"
        ),
        pytest.param("<select><option>a<option>b", ["select/option"] * 2, id="option"),
        pytest.param("<div><b>a</div>b", ["div/b", ""], id="a block ends inline elements"),
        pytest.param("<b><div>a</b>b", ["b/div"], id="an inline end tag ends no block"),
        pytest.param("<b><p>a</p></b><p>b", ["b/p", "p"], id="but what is around it"),
        pytest.param("<a><div>a</a>b", [""], id="but an anchor's does, without a border"),
        pytest.param("<x-y/>a<p>b", ["", "p"], id="a custom element may close itself"),
        pytest.param("<div/>a", ["div"], id="a div may not"),
    ],
)
def test_elements(page: str, expected: list[str]) -> None:
    assert paths(page) == expected


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param("one two", 2, id="two"),
        pytest.param("don't don\u2019t well-known", 2 + 1 + 2, id="the curly apostrophe joins"),
        pytest.param("caf&eacute;s", 1, id="an entity inside a word"),
        pytest.param("a&amp;b", 1, id="any entity inside a word"),
        pytest.param("a &amp; b", 2, id="an entity between words"),
        pytest.param("a&nbsp;b", 2, id="a no-break space"),
        pytest.param("港", 1, id="one ideograph"),
        pytest.param("港口", 1, id="two"),
        pytest.param("港口城", 2, id="three"),
        pytest.param("港，口。", 1, id="full-width punctuation"),
        pytest.param("ไทย", 2, id="Thai"),
        pytest.param("x港y", 3, id="words beside an ideograph"),
        pytest.param("привет мир", 2, id="Cyrillic"),
        pytest.param("\uff21\uff22 12", 2, id="full-width letters"),
        pytest.param("... ! ?", 0, id="punctuation"),
    ],
)
def test_word_counts(page: str, words: int) -> None:
    assert column(f"<p>{page}</p>", "WORDS") == [words]
    assert column(f"<a href=x>{page}</a>", "LINK_WORDS") == [words]


@pytest.mark.parametrize(
    ("page", "name", "expected"),
    [
        pytest.param("A bC. d!", "BYTES", 6, id="bytes but spaces"),
        pytest.param("A bC", "UPPERS", 2, id="capitals"),
        pytest.param("A bC De", "CAPITALISED", 2, id="capitalised words"),
        pytest.param("a1 23", "DIGITS", 3, id="digits"),
        pytest.param("a, b، c、", "COMMAS", 3, id="commas"),
        pytest.param("a. b.c! d?", "STOPS", 2 + 1, id="stops before spaces and at the end"),
        pytest.param("<p>a. b.</p>", "STOPS", 2, id="stops in a paragraph"),
        pytest.param("港。口。", "STOPS", 2, id="ideographic stops"),
        pytest.param("aé港", "WIDE", 5, id="bytes above ASCII"),
        pytest.param("a-b (c)", "PUNCTUATIONS", 3, id="punctuation"),
        pytest.param("港口a", "UNSPACEDS", 2, id="unspaced letters"),
        pytest.param("<a>b</a><a>c</a>", "LINKS", 2, id="links"),
        pytest.param("<a>bc d</a>e", "LINK_BYTES", 3, id="link bytes"),
        pytest.param("<a>b<a>c</a>d", "LINK_BYTES", 2, id="an anchor ends an anchor"),
        pytest.param("<a>b<i><a>c</a>d</i></a>e", "LINK_BYTES", 3, id="one inside an inline tag"),
        pytest.param("a<br>b", "BREAKS", 1, id="breaks"),
        pytest.param("a<img>b", "IMAGES", 1, id="images"),
        pytest.param("<p><img><p>a", "IMAGES", 1, id="an image before the text"),
        pytest.param("a<i>b</i><b>c</b>", "INLINES", 2, id="inline tags"),
        pytest.param("a<input><input>", "INPUTS", 2, id="inputs"),
    ],
)
def test_counts(page: str, name: str, expected: int) -> None:
    assert column(page, name) == [expected]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param("One two", ["one", "two"], id="lower-cased"),
        pytest.param("«one»—two…", ["one", "two"], id="before wide punctuation"),
        pytest.param("one港", ["one", "港"], id="before an ideograph"),
        pytest.param("caf&eacute;s", ["caf&eacute;s"], id="an entity inside"),
        pytest.param("wo<b>rd</b>", ["wo", "rd"], id="tags part"),
        pytest.param("w " * 50, ["w"] * 40, id="the first 40"),
    ],
)
def test_word_hashes(page: str, words: list[str]) -> None:
    assert scan(page).hashes.tolist() == [markup.fnv(w) >> 24 & 0xFFFF for w in words]


@pytest.mark.parametrize(
    ("tag", "flags"),
    [
        pytest.param("<div>", "", id="none"),
        pytest.param("<nav><ul><li>", "nav ul li", id="inherited"),
        pytest.param("<div hidden>", "hidden", id="hidden"),
        pytest.param("<div style='color:red; display: none'>", "hidden", id="display none"),
        pytest.param("<div style=DISPLAY:NONE>", "hidden", id="in capitals"),
        pytest.param("<div style='float: none'>", "", id="another none"),
        pytest.param("<div style='x-display:none-such'>", "hidden", id="no parser of styles"),
        pytest.param("<div aria-hidden=true>", "aria_hidden", id="aria-hidden"),
        pytest.param("<div aria-hidden=false>", "", id="not aria-hidden"),
        pytest.param("<div class=comments>", "comment", id="comments"),
        pytest.param("<div id=postCommentList>", "comment", id="a word at a capital"),
        pytest.param("<div role='x disqus'>", "comment", id="role"),
        pytest.param("<div class=commentary>", "", id="not a comment"),
        pytest.param("<pre>", "pre code", id="pre"),
        pytest.param("<h3>", "heading", id="heading"),
    ],
)
def test_flags(tag: str, flags: str) -> None:
    found = scan(f"{tag}a")
    value = int(found.flags[found.blocks[0, scan_kernel.ELEMENT]])
    assert {name for name, flag in markup.FLAG.items() if value & flag} == set(flags.split())


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        pytest.param("<meta name=a content=b>", b"b", id="unquoted"),
        pytest.param("<meta name=a content=b/>", b"b/", id="unquoted takes a slash"),
        pytest.param("<meta name='a' content='b \" c'>", b'b " c', id="single-quoted"),
        pytest.param('<meta name="a" content="<p>b>">', b"<p>b>", id="tags inside"),
        pytest.param("<META NAME=a CONTENT=b>", b"b", id="upper case"),
        pytest.param("<meta name=a content = 'b'>", b"b", id="spaces around the equals sign"),
        pytest.param("<meta name=a content=b content=c>", b"b", id="the first of two"),
        pytest.param("<meta name=a =content content=b>", b"b", id="a name that begins with it"),
        pytest.param("<meta name=a content==b>", b"=b", id="two equals signs"),
        pytest.param("<meta name=a/content=b>", None, id="a slash inside an unquoted value"),
        pytest.param("<meta name='a'/content=b>", b"b", id="a slash between"),
        pytest.param("<meta name='a'content=b>", b"b", id="nothing between"),
        pytest.param("<meta name=a content>", b"", id="no value"),
        pytest.param("<meta name=a content=>", b"", id="an empty value"),
        pytest.param("<meta name=a content='b", b"b", id="an unclosed quote"),
        pytest.param("<meta name=a content='", b"", id="cut at the quote"),
        pytest.param("<meta name=a contents=b>", None, id="another attribute"),
    ],
)
def test_attributes(tag: str, content: bytes | None) -> None:
    assert [value for _, value in tags(scan(tag)).metas] == ([] if content is None else [content])


def test_facts() -> None:
    said = tags(
        scan(
            "<html lang=en xml:lang=de><title>A &amp; B</title><title>C</title><html lang=fr>"
            "<meta property=OG:Title content=t><meta name=d><meta content=x><meta http-equiv=r content=u>"
            "<link rel=canonical href=/c><link href=/n><link rel=x>"
            "<a rel='nofollow LICENSE' href=l>x</a><a rel=next href=n>x</a>"
            "<a href=https://creativecommons.org/licenses/by/4.0/>x</a><a href=//www.creativecommons.org/a>"
            "<a href=https://notcreativecommons.org/>"
            "<script type=application/ld+json>{}</script><script>no</script>"
        )
    )
    assert said.lang == b"en"
    assert said.title == b"A &amp; B"
    assert said.metas == [(b"og:title", b"t"), (b"r", b"u")]
    assert said.links == [
        (b"canonical", b"/c"),
        (b"nofollow license", b"l"),
        (b"", b"https://creativecommons.org/licenses/by/4.0/"),
        (b"", b"//www.creativecommons.org/a"),
    ]
    assert said.json_ld == [b"{}"]
    assert tags(scan("<html xml:lang=de>")).lang == b"de"


def test_facts_are_capped() -> None:
    assert len(scan("<meta name=a content=b>" * 1100).facts) == scan_kernel.MAX_FACTS


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(KATEX, "$x^2$", id="KaTeX"),
        pytest.param(MATHJAX_2, "$x^2$", id="MathJax 2"),
        pytest.param(MATHJAX_3, "x = 2", id="MathJax 3"),
        pytest.param("<math alttext='x'><mi>y</mi></math>", "$x$", id="alttext"),
        pytest.param("<math><mi>x</mi><mo>+</mo><mi>y</mi></math>", "x + y", id="bare MathML"),
        pytest.param("<math><mi> x\n y </mi></math>", "x y", id="white space"),
        pytest.param("<math></math>", "", id="empty"),
        pytest.param("<math><mi>x</mi>", "x", id="unclosed"),
    ],
)
def test_math(page: str, expected: str) -> None:
    assert texts(f"<p>a {page} b</p>") == [" ".join(f"a {expected} b".split())]


FRAGMENTS = st.sampled_from(
    "< > </ <p> </p> <div> </div> <b> </b> <a href='x> </a> <li> <ul> </ul> <td> <tr> <table> </table> <pre> "
    "</pre> <br> <hr> <!-- --> <!--> <script> </script> <style> <svg> </svg> <math> </math> <title> & &nbsp; "
    "&amp; &#160; = ' \" / - ! ? <x-y> <mjx-container\tclass=MathJax> <span\tclass=katex-html> </span> "
    "<script\ttype=math/tex> <meta\tname=a\tcontent= <html\tlang= <p\tclass=comments\tstyle=display:none> a B 1 . ,"
    " 港 ไ é 。 😀 \u00a0 \u3000 \0".split(" ")
).map(lambda text: text.replace("\t", " "))
PAGES = st.lists(FRAGMENTS | st.text(max_size=4) | st.sampled_from([" ", "\n", "\r"])).map(
    lambda parts: "".join(parts).encode("utf-8", "replace")
)


def copied(found: scratch.Scanned) -> list[object]:
    return [part.tolist() if isinstance(part, np.ndarray) else part for part in found]


@given(PAGES)
def test_every_page_has_ordered_blocks_and_parents_before_children(page: bytes) -> None:
    found = scratch.scan(page)
    starts, ends = found.blocks[:, scan_kernel.START], found.blocks[:, scan_kernel.END]
    assert found.status == scan_kernel.OK
    assert (starts < ends).all()
    assert (ends[:-1] <= starts[1:]).all()
    assert ends.max(initial=0) <= len(found.text) <= len(page) + 64
    assert (found.parents[1:] < np.arange(1, len(found.parents))).all()
    assert (found.parents[1:] >= 0).all()
    assert (found.blocks[:, scan_kernel.ELEMENT] < len(found.tags)).all()
    assert (found.class_from <= found.class_to).all()
    assert found.facts.size == 0 or (found.facts.min() >= 0 and found.facts.max() <= len(page))
    found.text.tobytes().decode()
    for start, end, size, n_maths in found.blocks[
        :, [scan_kernel.START, scan_kernel.END, scan_kernel.BYTES, scan_kernel.MATHS]
    ].tolist():
        solid = len(b"".join(found.text[start:end].tobytes().split(None)))
        assert n_maths or size >= solid >= size - found.text[start:end].tobytes().count(b"\x0b")


@given(PAGES, PAGES)
def test_nothing_is_left_of_the_last_page(page: bytes, before: bytes) -> None:
    scratch.scan(before)
    dirty = copied(scratch.scan(page))
    fresh = scratch._allocated(len(page))
    for buffer in fresh:
        buffer.view(np.uint8)[...] = 0xA5
    *counts, deeper, status = scan_kernel.scan(np.frombuffer(page, np.uint8), *fresh)
    assert counts == [
        len(dirty[2]), len(dirty[3]), len(dirty[11]), len(dirty[9]), len(dirty[1]),
    ]  # fmt: skip
    text, blocks, *elements, classes, _, facts = fresh
    assert text[: counts[4]].tolist() == dirty[1]
    assert blocks[: counts[0]].tolist() == dirty[2]
    assert [column[: counts[1]].tolist() for column in elements] == dirty[3:9]
    assert classes[: counts[3]].tolist() == dirty[9]
    assert facts[: counts[2]].tolist() == dirty[11]
    assert [scan_kernel.MAX_DEPTH + deeper, status] == dirty[12:14]
