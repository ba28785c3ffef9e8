"""Personal data and secrets: what each kind is and is not; masking all of it again changes nothing."""

from __future__ import annotations

import ipaddress
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.annotate.mask import mask
from curation_dagster.annotate.pii import IBAN_LENGTHS, KINDS, SCHEMA, find, measure

SECRET = "a1B2c3D4" * 8
BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27u"


def found_in(text: str) -> list[tuple[str, str]]:
    raw = text.encode()
    rows = find(pl.Series([text]), KINDS).rows()
    return [(kind, raw[start:end].decode()) for _, kind, start, end in rows]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("key", "AKIA1234567890ABCDEF"),
        ("key", "ghp_" + SECRET[:36]),
        ("key", "github_pat_" + SECRET[:22] + "_" + SECRET[:59]),
        ("key", "xoxb-123456789012-1234567890123-" + SECRET[:24]),
        ("key", "AIza" + SECRET[:35]),
        ("key", "sk_live_" + SECRET[:24]),
        ("key", "sk-" + SECRET[:48]),
        ("key", "sk-proj-" + SECRET[:48]),
        ("key", "npm_" + SECRET[:36]),
        ("key", "pypi-" + SECRET),
        ("key", "hf_" + SECRET[:34]),
        ("key", "glpat-" + SECRET[:20]),
        ("key", JWT),
        ("private_key", BLOCK),
        ("private_key", BLOCK.replace("RSA ", "")),
        ("private_key", BLOCK.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK")),
        ("iban", "DE89370400440532013000"),
        ("iban", "GB82 WEST 1234 5698 7654 32"),
        ("iban", "fr1420041010050500013m02606"),
        ("ipv6", "2a00:1450:4001:81b::200e"),
        ("ipv6", "2600::"),
        ("ipv6", "2a00:1450:4001:081b:0000:0000:0000:200e"),
        ("ipv6", "2600::1:8.8.8.8"),
        ("card", "4111111111111111"),
        ("card", "4111 1111 1111 1111"),
        ("card", "5500-0000-0000-0004"),
        ("card", "378282246310005"),
        ("card", "3782 822463 10005"),
        ("card", "30569309025904"),
        ("card", "6011111111111117"),
        ("card", "3530111333300000"),
        ("phone", "+442079460958"),
        ("phone", "+46 (0)8 928 571 38"),
        ("phone", "(415) 736-2000"),
        ("phone", "415-736-2000"),
        ("phone", "415.736.2000x123"),
        ("phone", "1-800-736-2000"),
        ("phone", "001-518-640-0854"),
        ("phone", "020 7946 0958"),
        ("phone", "03.93.92.16.85"),
    ],
)
def test_found_alone_and_in_a_sentence(kind: str, text: str) -> None:
    for around in (
        "{}",
        "It is {}.",
        "<{}>",
        "({}),",
        "これは{}です",
        "a: {}\n",
        "\U0001f600{}\U0001f600",
    ):
        assert found_in(around.format(text)) == [(kind, text)], around


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AKIAIOSFODNN7EXAMPLE AKIA123 xAKIA1234567890ABCDEF", id="no key of Amazon"),
        pytest.param("ghp_short ghp_" + SECRET[:36] + "_", id="no token of GitHub"),
        pytest.param("sk-this-is-a-long-name-of-a-css-class", id="a name that begins with sk-"),
        pytest.param("eyJhbGciOi.eyJzdW eyJabc.def.ghi", id="no web token"),
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\nMIIEow", id="a block that does not end"),
        pytest.param(BLOCK.replace("PRIVATE", "PUBLIC"), id="a public key"),
        pytest.param("DE88370400440532013000 DE8937040044053201300 XX89370400440532013000", id="no IBAN"),
        pytest.param("::1 fe80::1 fc00::1 ff02::1 2001:db8::1 2002::1 64:ff9b::8", id="not public"),
        pytest.param("std::hex 12:30:45 a::b dead::beef 2001:db8 2a00:1:2:3:4:5:6", id="no IPv6"),
        pytest.param("4111111111111112 4111 1111 1111 1112", id="wrong check digit"),
        pytest.param("1234567812345670 9999999999999995", id="no issuer"),
        pytest.param("202-555-0143", id="reserved for fiction"),
        pytest.param("2024-01-15 10:30:00 15.01.2024 1994 1995 1,234,567,890", id="dates, sums"),
        pytest.param("ISBN 978-316-1484 isbn: 415-736-2000", id="book numbers"),
        pytest.param("v415.736.2000 a415-736-2000 415-736-20001 9.415.736.2000", id="parts of more"),
        pytest.param("https://x.org/415-736-2000 #415-736-2000 $415.736.2000", id="in a url, a price"),
        pytest.param("123-456-7890", id="no area code begins with 1"),
        pytest.param("KEY_ghijklmn PRIVATE_KEY_ghijklmn IBAN_ghijklmn CARD_ghijklmn", id="masked"),
    ],
)  # fmt: skip
def test_left_alone(text: str) -> None:
    assert found_in(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Phone: 467 3395", "467 3395"),
        ("call me at 60-56-85-91", "60-56-85-91"),
        ("tel 9498777106", "9498777106"),
        ("467 3395", None),
        ("phone 3 and 467 3395", None),
        ("phone of " + "a" * 40 + " 467 3395", None),
        ("call on 2024-01-15", None),
        ("Tel. ISBN 467 3395", None),
    ],
)
def test_a_word_announces_a_short_number(text: str, found: str | None) -> None:
    assert found_in(text) == ([("phone", found)] if found else [])


@pytest.mark.parametrize(
    ("text", "is_address"),
    [
        ("Version 3.8.10.2", False),
        ("see section\n24.2.2.4)", False),
        ("§ 5.14.3.2", False),
        ("ver Sección 6.3.6.2, dice", False),
        ("- 9.2.3.2. Building", False),
        ("- 7.12.11.3 The nextafter function", False),
        ("\n5.2.1.4. Aangeboden items", False),
        ("1.3.3.3 Overview", False),
        ("2014-10-29 (3.8.7.1)", False),
        ("version 42.49.3.25", False),
        ("version 42.50.3.25", True),
        ("dans 6.3.6.2, « Installer", False),
        ("셸을 사용해 6.3.9.2절", False),
        ("- 62.3.3.100 The server", True),
        ("at 62.3.3.25 and", True),
        ("\n12.34.5.6 - - [27/Nov/2004] GET /", True),
        ("nameserver 8.8.8.8\n", True),
        ("$ nc -v 8.8.8.8 53", True),
        ("server (62.3.3.25)", True),
        ("inversion 8.8.8.8", True),
        ("62.3.3.25 localhost", True),
    ],
)
def test_numbers_of_versions_and_sections_are_no_addresses(text: str, is_address: bool) -> None:
    assert [kind for kind, _ in found_in(text)] == ["ip"] * is_address


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 2**128 - 1), st.booleans())
def test_ipv6_against_ipaddress(number: int, unicast: bool) -> None:
    address = ipaddress.IPv6Address(number % 2**125 | 2**125 if unicast else number)
    in_range = address in ipaddress.IPv6Network("2000::/3")
    special = any(
        address in ipaddress.IPv6Network(n)
        for n in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
    )
    for text in (str(address), address.exploded, str(address).upper()):
        assert found_in(text) == ([("ipv6", text)] if in_range and not special else [])


def test_iban_against_the_rule() -> None:
    for entry in IBAN_LENGTHS.split():
        country, length = entry[:2], int(entry[2:])
        body = ("7AB3" * 9)[: length - 4]
        valid = 98 - int("".join(str(int(c, 36)) for c in body + country + "00")) % 97
        for check in (valid, valid % 97 + 1):
            text = f"{country}{check:02d}{body}"
            expected = [("iban", text)] if check == valid else []
            assert [f for f in found_in(text) if f[0] == "iban"] == expected


def luhn(digits: str) -> bool:
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(digits[::-1])]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 10**14 - 1))
def test_one_last_digit_in_ten_makes_a_card(number: int) -> None:
    heads = [f"4{number:014d}{d}" for d in range(10)]
    assert [h for h in heads if ("card", h) in found_in(h)] == [h for h in heads if luhn(h)]


def test_counts_of_all_kinds() -> None:
    text = f"bob@x.org 8.8.8.8 8.8.4.4 2600::1 DE89370400440532013000 {BLOCK} {JWT}"
    frame = measure(pl.Series([text, "", None]))
    assert frame.schema == SCHEMA
    assert frame.row(0, named=True) == {
        "pii_private_key_count": 1,
        "pii_key_count": 1,
        "pii_email_count": 1,
        "pii_iban_count": 1,
        "pii_ipv6_count": 1,
        "pii_ip_count": 2,
        "pii_card_count": 0,
        "pii_phone_count": 0,
        "pii_count": 7,
    }
    assert frame.row(1) == (0,) * 9
    assert frame.row(2) == (None,) * 9


def test_the_same_number_written_otherwise_is_masked_alike() -> None:
    texts = ["(415) 736-2000", "415.736.2000", "415 736 2000", "415-736-2001"]
    masked = mask(pl.Series(texts), KINDS)["text"].to_list()
    assert masked[0] == masked[1] == masked[2] != masked[3]
    assert masked[0][3:10] == "-555-01"


PIECES = st.sampled_from(
    [
        *" .-:+()@/_\n,x1",
        *("bob@x.org", "@x.org", "8.8.8.8", "2600::1", "::", "2600:", "IBAN ", "phone ", "isbn "),
        *("DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "4111 1111 1111 1111"),
        *("378282246310005", "4111", "+46 (0)8 928 571 38", "(415) 736-2000", "415-736-2000"),
        *("03.93.92.16.85", "467 3395", "12 34", "415", "736-2000", "+1", "202-555-0143"),
        *("AKIA1234567890ABCDEF", "ghp_" + SECRET[:36], "sk-" + SECRET[:30], JWT, BLOCK),
        *("KEY_ghijklmn", "CARD_ghijklmn", "-----BEGIN PRIVATE KEY-----", "é", "東", "\u00a0"),
        *("v", "version ", "a", "ab", "§"),
    ]
)


@settings(deadline=None, derandomize=True, max_examples=1500)
@given(st.lists(PIECES, max_size=9).map("".join), st.sets(st.sampled_from(KINDS)))
def test_masking_again_changes_and_counts_nothing(text: str, some: set[str]) -> None:
    for kinds in (KINDS, tuple(k for k in KINDS if k in some)):
        once = mask(pl.Series([text]), kinds)
        again = mask(once["text"], kinds)
        assert again["text"].to_list() == once["text"].to_list()
        assert sum(again.drop("text").row(0)) == 0


@settings(deadline=None, derandomize=True)
@given(st.lists(st.lists(PIECES, max_size=9).map("".join), max_size=6))
def test_texts_do_not_touch_each_other(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    one_by_one = [mask(pl.Series([t]), KINDS).row(0) for t in texts]
    assert mask(series, KINDS).rows() == one_by_one
    assert mask(series.reverse(), KINDS).rows() == one_by_one[::-1]


HOSTILE = [
    *("a@", "a.a@", "aaaa@aaaa.", "1.", "1.1.1.1.", "1:", "::", "a:", "2600:", "2600::1:"),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN A", "eyJ", "eyJaaaaaaaaa.", "sk-", "-sk-", "ghp_"),
    *(
        "xoxb-",
        "pypi-a",
        "AKIA",
        "github_pat_",
        "DE89 ",
        "DE89",
        "4111 ",
        "4111-",
        "1",
        "11 ",
        "(11)",
    ),
    *(
        "+1 ",
        "+1",
        "415-736-",
        "a",
        ".",
        "-",
        "@",
        "é",
        "é@",
        "é.",
        "call 11 ",
        "phone ",
        "   1.1.1.1",
    ),
    *("version", "\n- 1.1.1.1", "#", "KEY_", "-----END "),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """A megabyte of each takes less than a second; a quadratic walk would take minutes."""
    text = pl.Series([(unit * (1_000_000 // len(unit) + 1))[:1_000_000] + " "])
    began = time.process_time()
    mask(text, KINDS)
    mask(text)
    assert time.process_time() - began < 1.0
