"""What pages say of themselves: which source counts, what is no value, and hostile JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.ingest.about import About, Tags, about

BASE = "https://a.example/dir/page?q"
BY = "https://creativecommons.org/licenses/by/4.0/"
SA = "https://creativecommons.org/licenses/by-sa/4.0/"


def read(
    lang: str | None = None,
    title: str | None = None,
    metas: list[tuple[str, str]] | None = None,
    links: list[tuple[str, str]] | None = None,
    json_ld: list[str] | None = None,
    base: str | None = BASE,
) -> About:
    def pairs(items: list[tuple[str, str]] | None) -> list[tuple[bytes, bytes]]:
        return [(a.encode(), b.encode()) for a, b in items or []]

    raw = [None if text is None else text.encode() for text in (lang, title)]
    blocks = [block.encode() for block in json_ld or []]
    return about(Tags(*raw, pairs(metas), pairs(links), blocks), base)


def test_a_page_that_says_nothing() -> None:
    assert read() == (None,) * 5
    assert (
        read("", " ", [("description", ""), ("og:url", " ")], [("", ""), ("canonical", "")], [""])
        == (None,) * 5
    )


@pytest.mark.parametrize(
    ("title", "og", "expected"),
    [
        pytest.param(
            "\n A &amp; B\t &#233;&nbsp;x ", "og", "A & B é x", id="entities and white space"
        ),
        pytest.param(" \n", " og &lt;b&gt;", "og <b>", id="blank"),
        pytest.param(None, "og", "og", id="none"),
        pytest.param("&#x20;", "og", "og", id="blank once unescaped"),
        pytest.param("&#" + "9" * 5000 + ";", "og", "og", id="a reference too long"),
        pytest.param("x" * 1000, None, "x" * 1000, id="1000 characters"),
        pytest.param("港" * 1001, None, "港" * 1000, id="1001 characters"),
        pytest.param("x" * 999 + " y", None, "x" * 999, id="cut at a space"),
        pytest.param("&#xD800; 😀", None, "\ufffd 😀", id="a surrogate"),
    ],
)
def test_titles(title, og, expected) -> None:
    assert read(title=title, metas=[("og:title", og)] if og else []).title == expected


def test_bytes_that_are_no_utf8() -> None:
    found = about(
        Tags(
            b"\xff",
            b"a\xff\x00",
            [(b"\xff", b"\xff")],
            [(b"canonical", b"http://a.example/\xff")],
            [],
        )
    )
    assert found == ("a\ufffd\x00", None, "http://a.example/\ufffd", None, None)


@pytest.mark.parametrize(
    ("metas", "expected"),
    [
        ([("description", " a\n b "), ("og:description", "c")], "a b"),
        ([("description", " "), ("og:description", "c")], "c"),
        ([("description", ""), ("description", "second")], "second"),
        ([("description", "first"), ("description", "second")], "first"),
        ([("og:description", "c")], "c"),
        ([("twitter:description", "c")], None),
    ],
)
def test_descriptions(metas, expected) -> None:
    assert read(metas=metas).description == expected


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", "en"),
        (" EN-us\n", "en-us"),
        ("zh_Hant_TW", "zh-hant-tw"),
        ("sl-rozaj-biske-1994", "sl-rozaj-biske-1994"),
        ("ast", "ast"),
        ("de-", None),
        ("e", None),
        ("lang", None),
        ("english", None),
        ("en us", None),
        ("en,de", None),
        ("{{ lang }}", None),
        ("x-klingon", None),
        ("en-abcdefghi", None),
        ("und", None),
        ("é", None),
    ],
)
def test_languages(lang, expected) -> None:
    assert read(lang).language == expected
    assert read(metas=[("content-language", lang)]).language == expected
    assert read(lang, metas=[("og:locale", "fr_CA"), ("content-language", "??")]).language == (
        expected or "fr-ca"
    )


def test_html_lang_comes_first() -> None:
    metas = [("og:locale", "fr_FR"), ("content-language", "de")]
    assert read("en", metas=metas).language == "en"
    assert read(None, metas=metas).language == "de"


@pytest.mark.parametrize(
    ("href", "base", "expected"),
    [
        pytest.param("https://b.example/x", BASE, "https://b.example/x", id="absolute"),
        pytest.param(" HTTP://b.example:80?a=1&amp;b=2 ", None, "HTTP://b.example:80?a=1&b=2", id="entity"),
        pytest.param("//b.example/x", BASE, "https://b.example/x", id="no scheme"),
        pytest.param("//b.example/x", "http://a.example", "http://b.example/x", id="no scheme, base"),
        pytest.param("//b.example/x", None, "https://b.example/x", id="no scheme, no base"),
        pytest.param("../x", BASE, "https://a.example/x", id="relative"),
        pytest.param("/x y", BASE, "https://a.example/x%20y", id="a space"),
        pytest.param("?p=1", BASE, "https://a.example/dir/page?p=1", id="query"),
        pytest.param("/x", None, None, id="relative, no base"),
        pytest.param("x", None, None, id="a name, no base"),
        pytest.param("x", "not a url", None, id="a base that is none"),
        pytest.param("#x", BASE, None, id="fragment"),
        pytest.param("", BASE, None, id="empty"),
        pytest.param("javascript:void(0)", BASE, None, id="script"),
        pytest.param("ftp://b.example/", BASE, None, id="ftp"),
        pytest.param("http://", BASE, None, id="no host"),
        pytest.param("http:///x", BASE, None, id="empty host"),
        pytest.param("http://http://x", BASE, None, id="twice"),
        pytest.param("http://u@b.example/", BASE, None, id="user"),
        pytest.param("http://[::1]/x", BASE, "http://[::1]/x", id="ipv6"),
        pytest.param("http://[bad", BASE, None, id="bracket"),
        pytest.param("https://b.example/" + "x" * 1982, BASE, "https://b.example/" + "x" * 1982, id="2000"),
        pytest.param("https://b.example/" + "x" * 1983, BASE, None, id="2001"),
    ],
)  # fmt: skip
def test_canonical_urls(href, base, expected) -> None:
    assert read(links=[("canonical", href)], base=base).canonical_url == expected
    assert read(metas=[("og:url", href)], base=base).canonical_url == expected
    og = [("og:url", "https://og.example/")]
    assert read(metas=og, links=[("x CANONICAL", href)], base=base).canonical_url == (
        expected or "https://og.example/"
    )


def ld(**node: object) -> list[str]:
    return [json.dumps({"@context": "https://schema.org", **node})]


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        pytest.param({"links": [("nofollow LICENSE", "/terms")]}, "https://a.example/terms", id="rel"),
        pytest.param({"links": [("license", "#"), ("license", BY)]}, BY, id="rel, the second"),
        pytest.param({"links": [("licensed", BY[:30])]}, None, id="another rel"),
        pytest.param({"links": [("license", SA)], "json_ld": ld(license=BY)}, SA, id="rel before json"),
        pytest.param({"json_ld": ld(license=BY)}, BY, id="json"),
        pytest.param({"json_ld": ld(license=" CC BY\n4.0 ")}, "CC BY 4.0", id="json, words"),
        pytest.param({"json_ld": ld(license="//l.example/x")}, "https://l.example/x", id="json, no scheme"),
        pytest.param({"json_ld": ld(license={"@id": BY})}, BY, id="json, @id"),
        pytest.param({"json_ld": ld(license={"@type": "CreativeWork", "url": BY})}, BY, id="json, url"),
        pytest.param({"json_ld": ld(license=[None, {}, 3, BY, SA])}, BY, id="json, list"),
        pytest.param({"json_ld": ["[" + ld(license=BY)[0] + "]"]}, BY, id="json, top list"),
        pytest.param({"json_ld": ld(**{"@graph": [{"a": 1}, {"license": BY}]})}, BY, id="json, graph"),
        pytest.param({"json_ld": ld(mainEntity={"license": BY})}, BY, id="json, main entity"),
        pytest.param({"json_ld": ld(image={"license": BY})}, None, id="json, of a picture"),
        pytest.param(
            {"json_ld": ld(**{"@graph": [{"@type": ["A", "ImageObject"], "license": SA}, {"license": BY}]})},
            BY, id="json, of a picture in the graph",
        ),
        pytest.param({"json_ld": ['{"license": "a\nb"}']}, "a b", id="json, a line end in a string"),
        pytest.param({"json_ld": ['{"license": "\\ud800x"}']}, "?x", id="json, half a pair"),
        pytest.param({"json_ld": ['{"license": ', *ld(license=BY)]}, BY, id="json, broken"),
        pytest.param({"json_ld": ld(license=BY), "metas": [("dc.rights", "x")]}, BY, id="json before dc"),
        pytest.param({"metas": [("dc.rights", " All rights\nreserved ")]}, "All rights reserved", id="dc words"),
        pytest.param({"metas": [("dc:rights", "x")]}, "x", id="dc with a colon"),
        pytest.param({"metas": [("dc.rights", "x"), ("dcterms.license", BY)]}, BY, id="dc, license first"),
        pytest.param({"metas": [("dc.rights", "x"), ("dc.license", BY)]}, BY, id="dc.license"),
        pytest.param({"metas": [("dcterms.rights", "x" * 200)]}, "x" * 200, id="dc, 200 characters"),
        pytest.param({"metas": [("dcterms.rights", "x" * 201)]}, "x" * 200, id="dc, 201 characters"),
        pytest.param({"metas": [("dc.rights", BY + " and more")]}, BY + " and more", id="dc, URL and words"),
        pytest.param({"metas": [("license", BY)]}, BY, id="meta"),
        pytest.param({"metas": [("copyright", "https://www.gnu.org/licenses/fdl-1.3.html")]},
                     "https://www.gnu.org/licenses/fdl-1.3.html", id="copyright"),
        pytest.param({"metas": [("copyright", "2020 A. Author")]}, None, id="copyright, words"),
        pytest.param({"metas": [("license", "https://a.example/creativecommons.org/licenses/")]}, None,
                     id="meta, not a known one"),
        pytest.param({"metas": [("dc.rights", "x"), ("license", BY)]}, "x", id="dc before meta"),
        pytest.param({"metas": [("license", BY)], "links": [("", SA)]}, BY, id="meta before a link"),
        pytest.param({"links": [("", BY)]}, BY, id="a link"),
        pytest.param({"links": [("external", "//www.creativecommons.org/licenses/by/4.0/deed.de")]},
                     "https://www.creativecommons.org/licenses/by/4.0/deed.de", id="a deed"),
        pytest.param({"links": [("", BY + "deed.en"), ("", BY.upper()), ("", "/x")]}, BY + "deed.en", id="unanimous"),
        pytest.param({"links": [("", BY), ("", SA)]}, None, id="two licences"),
        pytest.param({"links": [("", BY), ("", BY.replace("4", "3"))]}, None, id="two versions"),
        pytest.param({"links": [("", "https://creativecommons.org/publicdomain/zero/1.0/")]},
                     "https://creativecommons.org/publicdomain/zero/1.0/", id="cc0"),
        pytest.param({"links": [("", "https://creativecommons.org/"), ("", "https://creativecommons.org/licenses/")]},
                     None, id="not a licence"),
        pytest.param({"links": [("", "https://evil.example/creativecommons.org/licenses/by/4.0/")]}, None,
                     id="another host"),
        pytest.param({"links": [("", "https://notcreativecommons.org/licenses/by/4.0/")]}, None, id="a longer host"),
    ],
)  # fmt: skip
def test_licenses(kwargs, expected) -> None:
    assert read(**kwargs).license == expected


@pytest.mark.parametrize(
    "block",
    [
        pytest.param('{"license":' + "[" * 100_000, id="depth"),
        pytest.param('{"license":' + "[" * 900 + '"a"' + "]" * 900 + "}", id="some depth"),
        pytest.param('{"@type":' + "[" * 900 + "]" * 900 + ', "license": 1}', id="depth of a type"),
        pytest.param('{"@graph":' * 500 + '{"license": 1}' + "}" * 500, id="graphs"),
        pytest.param('{"license": ' + "9" * 10_000 + "}", id="a huge number"),
        pytest.param('{"license": NaN}', id="no number"),
        pytest.param('["license"]', id="a word"),
        pytest.param('"license"', id="a string"),
        pytest.param("[" + '{"a":"license"},' * 60_000 + '{"license":"x"}]', id="many nodes"),
        pytest.param('{"license": "x"}' + " " * (1 << 20), id="too large"),
    ],
)
def test_hostile_json(block) -> None:
    assert read(json_ld=[block]).license is None


VALUES = st.sampled_from(
    [b"license", b"canonical", b"dc.rights", b"og:url", b"http://[", b"//", b"&#xD800;", b"&#" + b"9" * 5000,
     b'{"license": "\\ud800"}', b'{"@graph": [{"license": [{"url": 1}]}]}', b"\xed\xa0\x80", BY.encode(), b" "]
)  # fmt: skip
RAW = VALUES | st.binary(max_size=20)
PAIRS = st.lists(st.tuples(RAW, RAW), max_size=4)


@given(
    st.builds(Tags, RAW, RAW, PAIRS, PAIRS, st.lists(RAW, max_size=3)),
    st.none() | st.text(max_size=20),
)
@settings(max_examples=20, deadline=None)
def test_any_bytes_give_text_or_nothing(tags, base) -> None:
    found = about(tags, base)
    assert all(value is None or value.encode() for value in found)
