"""Masking: what is an address, what is not; again, alone or in another order changes nothing."""

from __future__ import annotations

import ipaddress
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.annotate.mask import mask
from curation_dagster.annotate.pii import NUMBERED, REFERRED
from curation_dagster.words import tables, term_hash_oracle

# What an address is, as regular expressions: `_LOCAL` and the others are what the kernels walk over.
LETTERS = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02b8\u0300-\u052f\u1e00-\u1fff"
_LOCAL = rf"[{LETTERS}0-9_%+'-]"
_LABEL = rf"(?:[{LETTERS}0-9-]*[{LETTERS}0-9])"
_TOP = rf"(?:xn--[{LETTERS}0-9-]+|[{LETTERS}][{LETTERS}][{LETTERS}0-9]*)"
EMAIL = rf"[{LETTERS}0-9]{_LOCAL}*(?:\.{_LOCAL}+)*@(?:{_LABEL}\.)+{_TOP}"
IP = r"[0-9]+(?:\.[0-9]+){3,}"

FRAGMENTS = st.sampled_from(
    [
        *"aZ2_.-@'%+ /:#()x\n",
        *(
            "é",
            "e\u0301",
            "東",
            "\U0001f600",
            "xn--",
            ".co",
            "@b.org",
            "bob@x.org",
            ".1",
            "v",
            ". ",
        ),
        *("8.8.8.8", "10.0.0.1", "user-0123abcd@example.com", "198.51.100.7", "212.94.201.10"),
        *("version ", "Sección ", "§", "- ", "2014-10-29 (", "\u00a0", ", “", "절"),
    ]
)
TRICKY = st.lists(st.lists(FRAGMENTS, max_size=12).map("".join), max_size=8)


def lowered_hash(address: str) -> int:
    lower = tables()[1]
    return term_hash_oracle(
        "".join(chr(lower[ord(c)]) if ord(c) < len(lower) else c for c in address)
    )


def fake_email(address: str) -> str:
    return f"user-{lowered_hash(address):016x}"[:13] + "@example.com"


def fake_ip(address: str) -> str:
    h = lowered_hash(address)
    network = ("192.0.2", "198.51.100", "203.0.113")[h % 3]
    return f"{network}.{(h >> 32) % 254 + 1}"


def is_global(address: str) -> bool:
    try:
        return (
            ipaddress.IPv4Address(address).is_global
            and not ipaddress.IPv4Address(address).is_multicast
        )
    except ValueError:
        return False


def is_number(text: str, start: int, end: int) -> bool:  # noqa: PLR0911 - one return a reason
    """Say if a dotted quad is the number of a version, a section or an item, by `re`."""
    before, after = text[:start], text[end:]
    if max(map(int, text[start:end].split("."))) > 49:
        return False
    space = "(?:[ \\t\n\v\f\r]|\u00a0)"
    label = re.search(
        rf"(?<![^\W\d_])(?<!-)([^\W\d_]+)[.:]?({space}{{0,4}}\(?{space}{{0,4}})\Z", before
    )
    if label and label[1].lower() in NUMBERED:
        return True
    if re.search(rf"§{space}{{0,4}}\(?{space}{{0,4}}\Z", before):
        return True
    if re.search(r"[0-9]{4}-[0-9]{2}-[0-9]{2} \(\Z", before):
        return True
    if after.removeprefix(" ").startswith(REFERRED) or after.startswith(REFERRED):
        return True
    marked = re.search(r"(?:\A|\n) *(?:[-*+]|#+)[ \t]{1,4}\Z", before)
    if marked and re.match(r"[\n)]|\.(?:[ \n]|\Z)| [A-Za-z\u0080-\U0010ffff]", after):
        return True
    bare = re.search(r"(?:\A|\n) *\Z", before)
    return bool(bare and re.match(r"\.(?:[ \n]|\Z)| [A-Z\u0080-\U0010ffff]", after))


def oracle(text: str) -> tuple[str, int, int]:
    """Mask one text with `re`, which knows no scripts: letters up to Cyrillic stand for them."""
    counts = [0, 0]
    email = re.compile(rf"{EMAIL}(?:\.{EMAIL})*")
    parts: list[str] = []
    last = 0
    edge = False

    def on_ip(found: re.Match[str]) -> str:
        part = found.string
        before, after = part[: found.start()], part[found.end() :]
        joined = (
            re.search(r"[A-Za-z0-9_.]\Z|[A-Za-z][-/]\Z", before)
            or re.search(r"\A[A-Za-z_]|\A\.[A-Za-z0-9_]|\A-[A-Za-z]", after)
            or (re.search(r"(\A|\n)\Z", before) and after.startswith(". "))
            or (not before and edge)
            or (before in {"-", "/"} and edge)
        )
        if (
            joined
            or not is_global(found[0])
            or is_number("a" * edge + part, found.start() + edge, found.end() + edge)
        ):
            return found[0]
        counts[1] += 1
        return fake_ip(found[0])

    for found in email.finditer(text) if "@" in text else ():
        parts.append(re.sub(IP, on_ip, text[last : found.start()]))
        ours = re.fullmatch("user-[0-9a-f]{8}@example.com", found[0])
        counts[0] += not ours
        parts.append(found[0] if ours else fake_email(found[0]))
        last, edge = found.end(), True
    parts.append(re.sub(IP, on_ip, text[last:]))
    return "".join(parts), *counts


def masked(text: str | None) -> tuple[str | None, int | None, int | None]:
    row = mask(pl.Series([text], dtype=pl.String)).row(0)
    return row[0], row[1], row[2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("bob@x.org", "bob@x.org", id="whole text"),
        pytest.param(
            "<Bob.O'Neil+tag@mail.x-y.co.uk>.", "Bob.O'Neil+tag@mail.x-y.co.uk", id="brackets"
        ),
        pytest.param("see...bob@x.org.", "bob@x.org", id="dots around"),
        pytest.param("_bob@x.org_", "bob@x.org", id="underscores around"),
        pytest.param("?to=bob@x.org&cc=1", "bob@x.org", id="in a query"),
        pytest.param("連絡先はbob@x.org様へ", "bob@x.org", id="CJK neighbours"),
        pytest.param("\U0001f600bob@x.org\U0001f600", "bob@x.org", id="emoji neighbours"),
        pytest.param("josé@müller.de, ", "josé@müller.de", id="Latin letters"),
        pytest.param("иван@пример.рф", "иван@пример.рф", id="Cyrillic"),
        pytest.param("a bob@x.xn--p1ai b", "bob@x.xn--p1ai", id="punycode"),
        pytest.param("bob@x.org8.8.8.8@b.org", "bob@x.org8.8.8.8@b.org", id="joined by a dot"),
        pytest.param("bob@8.8.8.8.com", "bob@8.8.8.8.com", id="quad inside"),
        pytest.param("8.8.8.8@x.org", "8.8.8.8@x.org", id="quad as the local part"),
        pytest.param("x" * 70_000 + "@x.org", "x" * 70_000 + "@x.org", id="very long"),
    ],
)
def test_email(text: str, found: str) -> None:
    assert masked(text) == (text.replace(found, fake_email(found)), 1, 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("8.8.8.8", "8.8.8.8", id="whole text"),
        pytest.param("at 8.8.8.8.", "8.8.8.8", id="end of a sentence"),
        pytest.param("http://8.8.8.8:80/", "8.8.8.8", id="url"),
        pytest.param("8.8.8.8/24", "8.8.8.8", id="network"),
        pytest.param("服务器8.8.8.8的", "8.8.8.8", id="CJK neighbours"),
        pytest.param("10.0.0.1-255.0.0.1, 172.32.0.1", "172.32.0.1", id="after private ones"),
        pytest.param("9.255.255.255", "9.255.255.255", id="below 10/8"),
        pytest.param("223.255.255.255", "223.255.255.255", id="last unicast"),
    ],
)
def test_ip(text: str, found: str) -> None:
    assert masked(text) == (text.replace(found, fake_ip(found)), 0, 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1", id="private"),
        pytest.param(
            "127.0.0.1 0.0.0.0 169.254.1.1 100.64.0.1 100.127.255.255", id="loopback, local"
        ),
        pytest.param("224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255", id="multicast, reserved"),
        pytest.param(
            "192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.1.1", id="documentation, tests"
        ),
        pytest.param(
            "999.1.1.1 1.1.1.256 1.1.1 1.2.3.4.5 1..2.3.4 01.02.03.04 1111.1.1.1", id="no quad"
        ),
        pytest.param(
            "v1.2.3.4 nginx-1.2.3.4 Firefox/3.0.0.10 1.2.3.4-rc1 1.2.3.4b 1.2.3.4.dev0",
            id="versions",
        ),
        pytest.param("1.2.3.4. On\n5.6.7.8. Off", id="headings"),
        pytest.param("8.8.8.8.example .8.8.8.8 _8.8.8.8", id="part of a name"),
        pytest.param("user@localhost a@b.c @x.org react@16.2.0 a @ b.org x@.org", id="no e-mail"),
        pytest.param("user-0123abcd@example.com", id="masked before"),
        pytest.param("!" * 50_000 + "@" * 50_000 + "." * 50_000, id="punctuation only"),
        pytest.param("\U0001f600 東京 é", id="emoji and CJK"),
    ],
)
def test_left_alone(text: str) -> None:
    assert masked(text) == (text, 0, 0)


def test_case_does_not_matter_and_hosts_do() -> None:
    texts = pl.Series(["BOB@X.org", "bob@x.ORG", "bob@y.org"])
    out = mask(texts)["text"].to_list()
    assert out[0] == out[1] != out[2]


@pytest.mark.parametrize(
    "text", ["bob@x.org8.8.8.8@b.org", "bob@x.org-.8bob@x.org", "a@b.co2c@d.org"]
)
def test_neighbours_stay_apart_when_masked(text: str) -> None:
    once = masked(text)[0]
    assert masked(once) == (once, 0, 0)


def test_null_and_no_rows() -> None:
    assert masked(None) == (None, None, None)
    empty = mask(pl.Series([], dtype=pl.String))
    assert empty.schema == {
        "text": pl.String,
        "masked_email_count": pl.UInt32,
        "masked_ip_count": pl.UInt32,
    }


@pytest.mark.parametrize("kinds", [("email",), ("ip",), ()])
def test_what_is_not_looked_for_is_not_there(kinds: tuple[str, ...]) -> None:
    row = mask(pl.Series(["bob@x.org 8.8.8.8"]), kinds).row(0, named=True)
    assert row == {
        "text": f"{fake_email('bob@x.org') if 'email' in kinds else 'bob@x.org'} "
        + (fake_ip("8.8.8.8") if "ip" in kinds else "8.8.8.8"),
        **{f"masked_{kind}_count": 1 for kind in kinds},
    }


def test_every_first_two_bytes_against_ipaddress() -> None:
    special = (
        0,
        10,
        99,
        100,
        101,
        127,
        128,
        168,
        169,
        172,
        191,
        192,
        198,
        203,
        223,
        224,
        239,
        240,
        255,
    )
    quads = [
        f"{a}.{b}.{c}.77" for a in special for b in range(256) for c in (0, 1, 2, 99, 100, 113)
    ]
    quads = [f"at {q}" for q in quads if q != "192.0.0.77"]  # ipaddress changed its mind in 3.11.10
    counts = mask(pl.Series(quads), ("ip",))["masked_ip_count"].to_list()
    assert [q for q, n in zip(quads, counts, strict=True) if bool(n) != is_global(q[3:])] == []


def test_installed_text(installed: list[str]) -> None:
    assert mask(pl.Series(installed)).rows() == [oracle(t) for t in installed]


def test_corpus(corpus: list[str]) -> None:
    assert mask(pl.Series(corpus)).rows() == [oracle(t) for t in corpus]


@settings(deadline=None, derandomize=True)
@given(TRICKY)
def test_masking_is_idempotent_and_order_free(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    once = mask(series)
    again = mask(once["text"])
    assert again["text"].to_list() == once["text"].to_list()
    assert again.select(pl.col("^masked.*$").sum()).row(0) == (0, 0)
    assert mask(series.reverse()).reverse().equals(once)
    assert [masked(t) for t in texts] == once.rows() == [oracle(t) for t in texts]
