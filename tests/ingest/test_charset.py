"""Bytes to UTF-8: marks, headers that lie, metas, mixed and cut pages, and every label of WHATWG's."""

from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import DATA

from curation_dagster.ingest import charset, http

FRENCH = "Le café où nous déjeunions était fermé à cause de la neige. "
GERMAN = "Ein schöner Tag für die Möwen über dem Hafen, größer als früher. "
POLISH = "Zażółć gęślą jaźń, powiedział żeglarz w porcie i poszedł dalej. "
GREEK = "Το λιμάνι ήταν παγωμένο για έντεκα εβδομάδες εκείνο τον χειμώνα. "
RUSSIAN = "В ту зиму гавань замёрзла на одиннадцать недель. "
KOREAN = "겨울 내내 항구가 얼어 있었고 배들은 부두에 묶여 있었다. 뷁 "
JAPANESE = "その冬は港が十一週間も凍りつき、船は岸壁につながれたままだった。①② "
CHINESE = "那年冬天港口冻了十一个星期，船只一直系在码头上，没有人出海。 "
TAIWANESE = "那年冬天港口凍了十一個星期，船隻一直繫在碼頭上，沒有人出海。 "
THAI = "ฤดูหนาวปีนั้นท่าเรือเป็นน้ำแข็งนานสิบเอ็ดสัปดาห์ "
HEBREW = "באותו חורף קפא הנמל למשך אחד עשר שבועות "
ARABIC = "في ذلك الشتاء تجمد الميناء لمدة أحد عشر أسبوعا "


def page(text: str, label: str | None = None, tag: str = '<meta charset="{}">') -> str:
    meta = tag.format(label) if label else ""
    return f"<html><head>{meta}<title>t</title></head><body><p>{text}</p></body></html>"


CASES = [
    (FRENCH, "utf-8", None, None, "utf-8"),
    (FRENCH, "utf-8", "ISO-8859-1", "latin1", "utf-8"),
    (FRENCH, "utf-8-sig", "ISO-8859-1", None, "utf-8"),
    (FRENCH, "cp1252", "ISO-8859-1", None, "windows-1252"),
    (FRENCH, "cp1252", None, "us-ascii", "windows-1252"),
    (FRENCH, "cp1252", "utf-8", None, "windows-1252"),
    (FRENCH, "cp1252", "utf-8", "iso-8859-1", "windows-1252"),
    (FRENCH, "cp1252", "nonesuch", "none", "windows-1252"),
    (FRENCH, "cp1252", None, "utf-16", "windows-1252"),
    (FRENCH, "cp1252", None, "x-user-defined", "windows-1252"),
    (FRENCH, "mac-roman", "macintosh", None, "macintosh"),
    (FRENCH, "iso8859-15", "ISO-8859-15", "utf-8", "iso-8859-15"),
    (GERMAN, "cp1252", None, None, "windows-1252"),
    (POLISH, "iso8859-2", "iso-8859-2", None, "iso-8859-2"),
    (POLISH, "cp1250", None, "windows-1250", "windows-1250"),
    (POLISH, "cp1250", None, None, "windows-1250"),
    (GREEK, "iso8859-7", "greek", None, "iso-8859-7"),
    (GREEK, "cp1253", "windows-1253", None, "windows-1253"),
    (GREEK, "cp1253", None, None, "iso-8859-7"),
    (RUSSIAN, "cp1251", None, None, "windows-1251"),
    (RUSSIAN, "cp1251", "utf-8", None, "windows-1251"),
    (RUSSIAN, "cp1251", "windows-1251", "koi8-r", "windows-1251"),
    (RUSSIAN, "koi8-r", None, "koi8-r", "koi8-r"),
    (RUSSIAN, "koi8-r", "utf-8", None, "koi8-r"),
    (RUSSIAN, "cp866", "ibm866", None, "ibm866"),
    (RUSSIAN, "mac-cyrillic", None, "x-mac-cyrillic", "x-mac-cyrillic"),
    (THAI, "cp874", "tis-620", None, "windows-874"),
    (THAI + "“…”", "cp874", "tis-620", None, "windows-874"),
    (THAI, "cp874", None, None, "windows-874"),
    (HEBREW, "cp1255", None, "windows-1255", "windows-1255"),
    (HEBREW, "iso8859-8", "logical", None, "iso-8859-8"),
    (ARABIC, "cp1256", None, None, "windows-1256"),
    ("Şişli'de ağaç", "cp1254", "iso-8859-9", None, "windows-1254"),
    (KOREAN, "cp949", "EUC-KR", None, "euc-kr"),
    (KOREAN, "cp949", None, "ks_c_5601-1987", "euc-kr"),
    (KOREAN, "cp949", None, None, "euc-kr"),
    (JAPANESE, "cp932", "Shift_JIS", None, "shift_jis"),
    (JAPANESE, "cp932", "utf-8", "x-sjis", "shift_jis"),
    (JAPANESE, "cp932", None, None, "shift_jis"),
    (JAPANESE, "euc_jis_2004", "euc-jp", None, "euc-jp"),
    (JAPANESE[:-3], "euc_jp", None, "x-euc-jp", "euc-jp"),
    (JAPANESE[:-3], "iso-2022-jp", "iso-2022-jp", None, "iso-2022-jp"),
    (JAPANESE[:-3], "iso-2022-jp", None, None, "iso-2022-jp"),
    (CHINESE, "gb18030", "gb2312", None, "gbk"),
    (CHINESE, "gb18030", None, "gb18030", "gb18030"),
    (CHINESE, "gb18030", "utf-8", "gb2312", "gbk"),
    (CHINESE + "€𠀀", "gb18030", "gbk", None, "gbk"),
    (TAIWANESE, "big5hkscs", "Big5", None, "big5"),
    (TAIWANESE + "€", "cp950", "Big5", None, "big5"),
    (JAPANESE, "utf-16", None, None, "utf-16le"),
    (JAPANESE, "utf-16-le", "utf-16", None, "utf-16le"),
    (JAPANESE, "utf-16-be", "utf-16", None, "utf-16be"),
    (FRENCH, "utf-16-be", "UTF-16BE", None, "utf-16be"),
    (FRENCH, "utf-16-le", "utf-8", None, "utf-16le"),
    ("plain words", "utf-8", "shift_jis", "utf-16", "utf-8"),
]


@pytest.mark.parametrize(
    ("text", "codec", "declared", "meta", "name"),
    [pytest.param(*case, id=f"{case[1]}, header {case[2]}, meta {case[3]}") for case in CASES],
)
def test_encodings(text, codec, declared, meta, name) -> None:
    html = page(text * 4, meta)
    found = charset.decode(html.encode(codec), declared)
    assert found == (html.encode(), name, 0, 0.0)


@pytest.mark.parametrize(
    "text", ["", "a", FRENCH, "𠀀", "\x00 a NUL and more", "\ufffd" * 9, "a\x1b$ b"]
)
def test_utf8_is_not_copied(text) -> None:
    body = text.encode()
    found = charset.decode(body, "iso-8859-1")
    assert found.utf8 is body
    assert found[1:] == ("utf-8", 0, 0.0)


# https://encoding.spec.whatwg.org/#names-and-labels, a name and what else it goes by
LABELS = """
utf-8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8
ibm866 866 cp866 csibm866
iso-8859-2 csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
iso-8859-3 csisolatin3 iso-ir-109 latin3
iso-8859-4 csisolatin4 iso-ir-110 latin4
iso-8859-5 csisolatincyrillic cyrillic iso-ir-144
iso-8859-6 arabic asmo-708 csiso88596e csisolatinarabic ecma-114 iso-8859-6-e iso-8859-6-i
iso-8859-7 csisolatingreek ecma-118 elot_928 greek greek8 sun_eu_greek
iso-8859-8 csiso88598e csisolatinhebrew hebrew iso-8859-8-e visual csiso88598i iso-8859-8-i logical
iso-8859-10 csisolatin6 latin6
iso-8859-13 iso885913
iso-8859-14 iso885914
iso-8859-15 csisolatin9 l9
iso-8859-16
koi8-r cskoi8r koi koi8 koi8_r
koi8-u koi8-ru
macintosh csmacintosh mac x-mac-roman
windows-874 dos-874 iso-8859-11 tis-620
windows-1250 cp1250 x-cp1250
windows-1251 cp1251 x-cp1251
windows-1252 ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 latin1 us-ascii x-user-defined
windows-1253 cp1253 x-cp1253
windows-1254 cp1254 csisolatin5 iso-8859-9 latin5
windows-1255 cp1255 x-cp1255
windows-1256 cp1256 x-cp1256
windows-1257 cp1257 x-cp1257
windows-1258 cp1258 x-cp1258
x-mac-cyrillic x-mac-ukrainian
gbk chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk
gb18030
big5 big5-hkscs cn-big5 csbig5 x-x-big5
euc-jp cseucpkdfmtjapanese x-euc-jp
iso-2022-jp csiso2022jp
shift_jis csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis
euc-kr cseuckr korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 windows-949
utf-16be unicodefffe
utf-16le csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16
"""


@pytest.mark.parametrize("names", LABELS.split("\n")[1:-1], ids=lambda names: names.split()[0])
def test_labels(names) -> None:
    name, *labels = names.split()
    for label in [name, *labels]:
        codec = charset._codec(f" {label.upper()}\n")
        assert codec
        assert charset._decoded(charset._read(b"", codec))[1] == name


@pytest.mark.parametrize(
    "label", ["", "none", "utf-7", "hz-gb-2312", "iso-2022-kr", "rot13", "zlib", "é"]
)
def test_what_is_no_label(label) -> None:
    assert charset._codec(label) is None
    assert charset.decode(b"it\x92s", label)[:2] == ("it’s".encode(), "windows-1252")


def test_every_byte_of_windows_1252() -> None:
    found = charset.decode(bytes(range(256)), "windows-1252")
    assert found.replaced == 0
    assert found.utf8.decode()[0x80:0xA0] == "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ"
    assert found.utf8.decode()[0xA0:] == bytes(range(0xA0, 256)).decode("latin-1")


@pytest.mark.parametrize(
    ("head", "label"),
    [
        pytest.param(b"<meta charset=gbk>", "gbk", id="bare"),
        pytest.param(b"<META\nCharSet = 'GBK' />", "GBK", id="case and spaces"),
        pytest.param(b'<meta name=a content="b>c" charset="gbk">', "gbk", id="> in a value"),
        pytest.param(b'<meta http-equiv="Content-Type" content="text/html; charset=gbk">', "gbk", id="pragma"),
        pytest.param(b"<meta content='a;charset = \"gbk\"' http-equiv=content-type>", "gbk", id="pragma, turned"),
        pytest.param(b'<meta content="text/html; charset=gbk">', None, id="no pragma"),
        pytest.param(b'<meta http-equiv=refresh content="charset=gbk">', None, id="another pragma"),
        pytest.param(b"<meta charset=none><meta charset=gbk>", "gbk", id="the second"),
        pytest.param(b"<meta charset=big5 charset=gbk>", "big5", id="the first attribute"),
        pytest.param(b"<!-- > <meta charset=big5> --><meta charset=gbk>", "gbk", id="a comment"),
        pytest.param(b"<a title='<meta charset=big5>'><meta charset=gbk>", "gbk", id="in a value"),
        pytest.param(b"<metadata charset=big5><meta/charset=gbk>", "gbk", id="another name"),
        pytest.param(b"<p charset=gbk>", None, id="another tag"),
        pytest.param(b"<meta x='a'charset=gbk>", "gbk", id="no space between"),
        pytest.param(b"<meta charset=>", None, id="empty"),
        pytest.param(b"<meta charset='gbk", None, id="cut"),
        pytest.param(b'<?xml version="1.0" encoding="gbk"?><a>', "gbk", id="xml"),
        pytest.param(b"<?xml encoding='big5'?><meta charset=gbk>", "gbk", id="xml and meta"),
        pytest.param(b" " * 4079 + b"<meta charset=gbk>", None, id="late by a byte"),
        pytest.param(b" " * 4078 + b"<meta charset=gbk>", "gbk", id="at the end of the scan"),
        pytest.param(b"<!--" * 999 + b"<'" * 99, None, id="hostile"),
    ],
)  # fmt: skip
def test_what_a_page_declares(head, label) -> None:
    assert charset.declared_in(head) == label


def test_text_declares_nothing() -> None:
    body = "<meta charset=koi8-r> naïve".encode("cp1252")
    assert charset.decode(body, None).charset == "koi8-r"
    assert charset.decode(body, None, html=False).charset == "windows-1252"


@pytest.mark.parametrize(
    ("sound", "broken", "declared", "name"),
    [
        pytest.param(80, 20, None, "utf-8", id="four of five"),
        pytest.param(79, 20, None, "windows-1252", id="less"),
        pytest.param(50, 50, "utf-8", "utf-8", id="declared, half"),
        pytest.param(49, 50, "utf-8", "windows-1252", id="declared, less"),
        pytest.param(79, 20, "iso-8859-1", "windows-1252", id="another declared"),
        pytest.param(80, 20, "iso-8859-1", "utf-8", id="another declared, but four of five"),
        pytest.param(0, 2, "utf-8", "windows-1252", id="none"),
    ],
)
def test_broken_utf8(sound, broken, declared, name) -> None:
    body = "é word ".encode() * sound + b"\xe9 word " * broken
    found = charset.decode(body, declared)
    assert found.charset == name
    if name == "utf-8":
        assert found.replaced == broken
        assert found.replaced_ratio == pytest.approx(broken / (7 * (sound + broken)))
        assert found.utf8.decode().count("é") == sound


@pytest.mark.parametrize("char", ["é", "港", "𠀀"])
def test_a_cut_character_is_no_reason(char) -> None:
    for size in range(1, len(char.encode())):
        tail = char.encode()[:size]
        for body, declared in [("un café ".encode() + tail, None), (b"plain " + tail, "utf-8")]:
            found = charset.decode(body, declared)
            assert found[1:3] == ("utf-8", 1)
            assert found.utf8 == body[: -len(tail)] + "\ufffd".encode()
    assert charset.decode(b"caf\xe9", None)[:2] == ("café".encode(), "windows-1252")


def test_few_broken_bytes_are_latin() -> None:
    body = b"word " * 100 + b"caf\xe9 au lait"
    assert charset.decode(body, "utf-8")[:2] == (
        body.replace(b"\xe9", "é".encode()),
        "windows-1252",
    )


def test_an_escape_is_no_japanese() -> None:
    body = b"\x1b$B" + b"~~" * 20
    assert charset.decode(body, None) == (body, "utf-8", 0, 0.0)


def test_given_replacements_are_not_counted() -> None:
    body = "\ufffdé".encode() * 9 + b"\xff"
    assert charset.decode(body, None).replaced == 1


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        pytest.param(5, "iso-8859-7", id="5 %"),
        pytest.param(6, "windows-1252", id="more than 5 %"),
    ],
)
def test_what_is_declared_must_fit(bad, name) -> None:
    body = b"\xffa" * bad + b"b" * (100 - 2 * bad)
    found = charset.decode(body, "greek")
    assert (found.charset, found.replaced) == (name, bad if name == "iso-8859-7" else 0)


@pytest.mark.parametrize(
    ("body", "wide"),
    [
        pytest.param(b"a\x00" * 4, "utf-16-le", id="four"),
        pytest.param(b"\x00a" * 4, "utf-16-be", id="four, big end"),
        pytest.param(b"a\x00" * 3, None, id="three"),
        pytest.param(b"a\x00" * 51 + b"ab" * 461, "utf-16-le", id="one byte in twenty"),
        pytest.param(b"a\x00" * 50 + b"ab" * 462, None, id="fewer"),
        pytest.param(b"a\x00" * 100 + b"\x00b" * 25, "utf-16-le", id="few on the other side"),
        pytest.param(b"a\x00" * 100 + b"\x00b" * 26, None, id="more on the other side"),
        pytest.param(b"\x00" * 99, None, id="nothing else"),
    ],
)
def test_utf16_without_a_mark(body, wide) -> None:
    assert charset._wide(body) == wide


@pytest.mark.parametrize(
    "bad",
    [
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"\xf8\x88\x80\x80\x80",
    ],
)
def test_what_is_not_utf8(bad) -> None:
    """Surrogates, overlong forms, code points beyond Unicode."""
    assert not charset.is_utf8(bad)
    found = charset.decode("é".encode() * 50 + bad, "utf-8")
    assert found.charset == "utf-8"
    assert found.replaced >= 1
    assert found.utf8.decode().startswith("é" * 50)


def test_a_mark_with_broken_bytes() -> None:
    assert charset.decode(codecs.BOM_UTF8 + b"a\xff", None) == ("a\ufffd".encode(), "utf-8", 1, 0.5)
    assert charset.decode(codecs.BOM_UTF16_LE + b"a\x00\x00\xd8", None)[1:3] == ("utf-16le", 1)
    assert charset.decode(codecs.BOM_UTF16_BE + b"\x00a\x00", None)[1:3] == ("utf-16be", 1)
    assert charset.decode(codecs.BOM_UTF8, None)[:2] == (b"", "utf-8")


PIECES = st.sampled_from(
    [b"\x1b$B", b"\x1b(B", b"\x00", b"<\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xe9", b"\x81",
     JAPANESE.encode("cp932"), KOREAN.encode("cp949"), FRENCH.encode(), b"<meta charset=", b"gbk", b"'>", b"<!--"]
)  # fmt: skip


@given(
    body=st.binary(max_size=60) | st.lists(PIECES, max_size=12).map(b"".join),
    declared=st.none() | st.sampled_from([n.split()[-1] for n in LABELS.split("\n")[1:-1]]) | st.text(max_size=5),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_any_bytes_become_valid_utf8(body, declared) -> None:
    found = charset.decode(body, declared)
    assert charset._codec(found.charset)
    assert found.replaced <= len(found.utf8.decode())
    assert 0 <= found.replaced_ratio <= 1


@given(st.binary(max_size=12) | st.text(max_size=9).map(str.encode))
@settings(max_examples=20, deadline=None)
def test_is_utf8_is_what_python_says(body) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        assert not charset.is_utf8(body)
    else:
        assert charset.is_utf8(body)


def test_hostile_pages_take_linear_time() -> None:
    start = time.process_time()
    for body in (
        b"<meta " * 50_000 + b"\xff",
        b"<a '" * 50_000 + b"\xff",
        b"<meta " + b"a" * 4000 + b">\xff",
        b"\x1b$B" * 100_000,
        b"\xe9" * 300_000,
    ):
        charset.decode(body, "utf-8")
    assert time.process_time() - start < 5


PAGES = {
    "extraction/trafilatura-eval.warc.gz": {"utf-8": 740, "windows-1252": 16, "gbk": 1, "windows-1250": 1},
    "pages/apache-httpd-docs.warc.gz": {"utf-8": 212, "euc-kr": 33},
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_real_pages(name) -> None:
    """Raw pages without a charset in their headers: all are read, a few with single broken bytes."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    from fastwarc.warc import ArchiveIterator

    counts: dict[str, int] = {}
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, parse_http=False):
            found = http.response(record.reader.read(), 1 << 24)
            if found is None:
                continue
            assert found.trouble is None
            page = charset.decode(found.body, found.charset)
            counts[page.charset] = counts.get(page.charset, 0) + 1
            assert page.replaced_ratio < 1e-4
    assert counts == PAGES[name]
