"""Bytes of a page to UTF-8, by and large as browsers do (WHATWG Encoding; HTML 13.2.3 for what a page declares).

Where this departs from browsers: bytes that are valid UTF-8 are UTF-8 whatever is declared, for headers
lie; UTF-8 with some broken bytes stays UTF-8; and what is declared must fit. WHATWG's tables are Python's
codecs here, which lack some rare characters of Big5, EUC-JP and KOI8-U. Not here: tags but `<meta>`, verdicts.
"""

from __future__ import annotations

import codecs
import re
import struct
from functools import lru_cache
from typing import Final, NamedTuple

import pyarrow as pa
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

MAX_REPLACED_RATIO: Final = 0.05  # above: what is declared does not fit
MIN_SOUND_RATIO: Final = 0.8  # of non-ASCII characters: at least so many are whole in broken UTF-8
MIN_DECLARED_SOUND_RATIO: Final = 0.5  # where UTF-8 is declared
# For `<meta>`. WHATWG asks for 1024 at least, which missed 10 of 31 pages that are not UTF-8 and have one.
PRESCAN_BYTES: Final = 4096
_DETECT_BYTES: Final = 1 << 16
_MIN_EVIDENCE: Final = 16  # non-ASCII characters; on fewer, detection guesses
_HIGH: Final = 0xA0
_BAD: Final = "\ufffd"
_MARKS: Final = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_FALLBACK: Final = "cp1252"
_WIDE: Final = 20  # of so many bytes one is a NUL, in UTF-16 without a mark
_WIDE_BYTES: Final = 1024
_MIN_NULS: Final = 4
_SIDES: Final = 4  # so many times more NULs on one side; U+3000 and U+4E00 have theirs on the other
_ISO_2022: Final = (b"\x1b$B", b"\x1b$@")  # ISO-2022-JP is seven bits, and so valid UTF-8
# resiliparse's word for an encoding: WHATWG's name for it, and the codecs that read it, the best first
_CODECS: Final = {
    "big5": ("big5", "big5hkscs", "cp950"),
    "euc_jp": ("euc-jp", "euc_jp", "euc_jis_2004"),
    "euc_kr": ("euc-kr", "cp949"),
    "gb18030": ("gb18030", "gb18030"),
    "gbk": ("gbk", "gb18030"),
    "iso2022_jp": ("iso-2022-jp", "iso2022_jp"),
    "shift_jis": ("shift_jis", "cp932"),
    "utf-16-be": ("utf-16be", "utf-16-be"),
    "utf-16-le": ("utf-16le", "utf-16-le"),
    "utf-8": ("utf-8", "utf-8"),
}
_ONE_BYTE: Final = {
    "cp866": "ibm866",
    "iso8859-11": "windows-874",
    "mac-cyrillic": "x-mac-cyrillic",
    "mac-roman": "macintosh",
}
_MORE_LABELS: Final = {  # which resiliparse does not know
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    "x-user-defined": _FALLBACK,
}
_DETECTED: Final = {  # what uchardet says, and what it is on the web
    "cp949": "euc_kr",
    "iso8859-13": "cp1257",
    "iso8859-15": "cp1252",
    "mac-cyrillic": "mac-cyrillic",
}
_QUOTED: Final = rb"""(?:"[^"]*"|'[^']*'|[^>"'])*+"""
_SCAN: Final = re.compile(
    rb"<!--.*?-->|<meta[\s/](" + _QUOTED + rb")>|</?[a-z]" + _QUOTED + rb">?|<[!/?][^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(
    rb"""(?<![^\s/"'])([^\s=/>"']++)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s>"']+))"""
)
_CONTENT: Final = re.compile(rb"""charset\s*=\s*["']?([^\s"';]+)""", re.IGNORECASE)
_CUT: Final = re.compile(  # a character of UTF-8 that the end cuts
    rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z"
)
_XML: Final = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>]*)""")


class Decoded(NamedTuple):
    """A page in UTF-8."""

    utf8: bytes  # valid, without a mark; the body itself where it was that
    charset: str  # WHATWG's name of what it was decoded from
    replaced: int  # U+FFFD put in for bytes that mean nothing
    replaced_ratio: float  # to characters


class _Reading(NamedTuple):
    text: str
    codec: str
    replaced: int

    @property
    def ratio(self) -> float:
        return self.replaced / max(len(self.text), 1)

    @property
    def non_ascii_chars(self) -> int:
        return len(self.text) - len(self.text.encode("ascii", "ignore"))


def decode(body: bytes, declared: str | None, *, html: bool = True) -> Decoded:
    """Decode by byte order mark, as UTF-8 if it is, as declared by `declared` or the page, or by detection.

    Valid UTF-8 is not copied and costs its validation; anything else is decoded once or a few times.
    With `html` false the page is not looked into for what it declares. NULs are left.
    """
    for mark, codec in _MARKS.items():
        if body.startswith(mark):
            rest = body[len(mark) :]
            valid = codec == "utf-8" and is_utf8(rest)
            return Decoded(rest, codec, 0, 0.0) if valid else _decoded(_read(rest, codec))
    wide = _wide(body) if b"\0" in body else None
    if wide:
        return _decoded(_read(body, wide))
    if body.isascii():
        seven = b"\x1b" in body and any(escape in body for escape in _ISO_2022)
        reading = _read(body, "iso2022_jp") if seven else None
        if reading and reading.ratio <= MAX_REPLACED_RATIO:
            return _decoded(reading)
        return Decoded(body, "utf-8", 0, 0.0)
    if is_utf8(body):
        return Decoded(body, "utf-8", 0, 0.0)
    return _decoded(_legacy(body, declared, html=html))


def is_utf8(body: bytes) -> bool:
    """Validate, without making a `str`: that takes twice the time and up to four times the memory."""
    offsets = pa.py_buffer(struct.pack("=qq", 0, len(body)))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(body)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def declared_in(body: bytes) -> str | None:
    """Find the label a page gives itself, in a `<meta>` of its first bytes or its XML declaration."""
    head = body[:PRESCAN_BYTES]
    for tag in _SCAN.finditer(head):
        label = _meta_label(tag[1]) if tag[1] else None
        if label and _codec(label):
            return label
    xml = _XML.match(head.lstrip())
    return xml[1].decode("latin-1") if xml else None


def _meta_label(attributes: bytes) -> str | None:
    values: dict[bytes, bytes] = {}
    for name, *quoted in _ATTRIBUTE.findall(attributes):
        values.setdefault(name.lower(), b"".join(quoted))
    label = values.get(b"charset")
    if label is None and values.get(b"http-equiv", b"").strip().lower() == b"content-type":
        content = _CONTENT.search(values.get(b"content", b""))
        label = content[1] if content else None
    return label.decode("latin-1") if label else None


def _legacy(body: bytes, declared: str | None, *, html: bool) -> _Reading:
    """Read what is not wholly UTF-8: as broken UTF-8, as labelled, as detected; what fits first, or else best."""
    inside = _codec(declared_in(body)) if html else None
    inside = "utf-8" if inside and inside.startswith("utf-16") else inside  # it was read as ASCII
    labelled = [codec for codec in (_codec(declared), inside) if codec]
    utf8 = _read(body, "utf-8")
    if _is_sound(utf8, "utf-8" in labelled, bool(_CUT.search(body, len(body) - 3))):
        return utf8
    readings = []
    for codec in dict.fromkeys(labelled):
        reading = utf8 if codec == "utf-8" else _read(body, codec)
        if codec != "utf-8" and reading.ratio <= MAX_REPLACED_RATIO:
            return reading
        readings.append(reading)
    readings.append(_read(body, _detected(body, utf8.non_ascii_chars)))
    return min(readings, key=lambda reading: reading.ratio)


def _is_sound(utf8: _Reading, labelled: bool, cut: bool) -> bool:
    """Tell broken UTF-8 from other encodings, of which few bytes happen to be valid UTF-8."""
    good, bad = utf8.non_ascii_chars - utf8.replaced, utf8.replaced - cut
    least = MIN_DECLARED_SOUND_RATIO if labelled else MIN_SOUND_RATIO
    return good >= least * (good + bad) and (labelled or good > 0)


def _detected(body: bytes, non_ascii_chars: int) -> str:
    if non_ascii_chars < _MIN_EVIDENCE:
        return _FALLBACK
    name = detect_encoding(body, max_len=_DETECT_BYTES, html5_compatible=False) or ""
    codec = _DETECTED.get(name) or map_encoding_to_html5(name, fallback_utf8=False)
    return codec if codec and codec != "utf-8" else _FALLBACK


@lru_cache(maxsize=1024)
def _codec(label: str | None) -> str | None:
    """Look up a label as WHATWG does, but by resiliparse's names; None if there is no such label."""
    label = (label or "").strip().lower()
    return _MORE_LABELS.get(label) or map_encoding_to_html5(label, fallback_utf8=False)


def _read(body: bytes, codec: str) -> _Reading:
    if codec not in _CODECS:
        text = codecs.charmap_decode(body, "replace", _table(codec))[0]
        return _Reading(text, codec, text.count(_BAD))
    readings = []
    for python in _CODECS[codec][1:]:
        text = body.decode(python, "replace")
        given = body.count(_BAD.encode()) if codec == "utf-8" else 0
        readings.append(_Reading(text, codec, text.count(_BAD) - given))
        if not readings[-1].replaced:
            break
    return min(readings, key=lambda reading: reading.replaced)


@lru_cache(maxsize=64)
def _table(codec: str) -> str:
    """Make the table of a one-byte encoding. WHATWG's has controls where Python's has holes below A0."""
    python = "cp874" if codec == "iso8859-11" else codec
    chars = [bytes([byte]).decode(python, "replace") for byte in range(256)]
    return "".join(chr(i) if c == _BAD and i < _HIGH else c for i, c in enumerate(chars))


def _wide(body: bytes) -> str | None:
    """Tell UTF-16 without a mark by where NULs are: all on one side."""
    head = body[:_WIDE_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    most, least = max(even, odd), min(even, odd)
    if most < max(len(head) // _WIDE, _MIN_NULS) or least * _SIDES > most:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _decoded(reading: _Reading) -> Decoded:
    name = _CODECS[reading.codec][0] if reading.codec in _CODECS else _ONE_BYTE.get(reading.codec)
    name = name or reading.codec.replace("iso8859", "iso-8859").replace("cp12", "windows-12")
    return Decoded(reading.text.encode(), name, reading.replaced, reading.ratio)
