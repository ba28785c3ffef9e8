r"""Replace e-mail and public IPv4 addresses by values that depend only on what they replace.

An address becomes `user-<8 hex>@example.com` (RFC 2606), a public IPv4 address one of the three
documentation networks (RFC 5737); both are chosen by the 64-bit hash of the lower-cased original,
so the result does not depend on batch or order (datatrove rotates through a list). Masking again
changes nothing.

How: two linear Polars regexes put control bytes around what may be an address, then one compiled
loop decides, and rewrites the rows that have any. The four control bytes are removed from the text
first, so no text can forge a mark.

What is no address: a local part or domain in a script other than Latin, Greek or Cyrillic, a quoted
local part, a top-level domain of one letter or of digits; a dotted quad that is not global unicast,
has a leading zero or a fifth part, hangs on a letter (`v1.2.3.4`, `nginx-1.2.3.4`,
`Firefox/3.0.0.10`, `1.2.3.4-rc1`, `8.8.8.8.example`), or numbers a heading ("1.2.3.4. On" at the
start of a line). Other section and version numbers of four parts are taken for addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.annotate.family import Signal
from curation_dagster.words import buffers, tables, texts_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNALS = (
    Signal("pii_email_count", pl.UInt32, "E-mail addresses replaced; null if not looked for."),
    Signal("pii_ip_count", pl.UInt32, "Public IPv4 addresses replaced; null if not looked for."),
)
_A = r"\p{Latin}\p{Greek}\p{Cyrillic}\p{M}"
_LOCAL = rf"[{_A}0-9_%+'-]"
# The local part starts, and a label ends, with a letter or digit, and the kernel takes addresses
# joined by a dot for one: what replaces a match never runs into another, so masking is idempotent.
_LABEL = rf"(?:[{_A}0-9-]*[{_A}0-9])"
_TOP = rf"(?:xn--[{_A}0-9-]+|[{_A}][{_A}][{_A}0-9]*)"
EMAIL = rf"[{_A}0-9]{_LOCAL}*(?:\.{_LOCAL}+)*@(?:{_LABEL}\.)+{_TOP}"
IP = r"[0-9]+(?:\.[0-9]+){3,}"
MARKS = r"[\x01-\x04]"  # around an e-mail address 1 and 2, around digits and dots 3 and 4

SPECIAL_NETWORKS = (  # IANA IPv4 special-purpose registry, and multicast
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)


def mask(texts: pl.Series, *, email: bool, ip: bool) -> pl.DataFrame:
    """Return text, pii_email_count and pii_ip_count: what was replaced; null if not looked for.

    >>> mask(pl.Series(["Ask Bob@x.org or 8.8.8.8, not 10.0.0.1"]), email=True, ip=True).row(0)
    ('Ask user-d6f4dd19@example.com or 192.0.2.218, not 10.0.0.1', 1, 1)
    """
    marked = clean = texts.str.replace_all(MARKS, "")
    if email:
        marked = marked.str.replace_all(EMAIL, "\x01${0}\x02")
    if ip:
        marked = marked.str.replace_all(IP, "\x03${0}\x04")
    rows = (marked.str.len_bytes() != clean.str.len_bytes()).fill_null(value=False).arg_true()
    found = np.zeros((2, len(texts)), np.uint32)
    if len(rows):
        rewritten, found[:, rows.to_numpy()] = _rewrite(marked.gather(rows))
        clean = clean.clone().scatter(rows, rewritten)
    measured = clean.is_not_null()
    return pl.DataFrame(
        {"text": clean, "pii_email_count": found[0], "pii_ip_count": found[1]}
    ).with_columns(
        pl.when(measured & email).then("pii_email_count").alias("pii_email_count"),
        pl.when(measured & ip).then("pii_ip_count").alias("pii_ip_count"),
    )


def _rewrite(marked: pl.Series) -> tuple[pl.Series, NDArray[np.uint32]]:
    """Resolve the marks of each text: first the size of the result, then the result."""
    from curation_dagster.annotate import mask_kernel  # loads numba

    data, offsets, owner = buffers(marked)
    lower = tables()[1]
    starts = np.zeros(len(marked) + 1, np.int64)
    found = np.zeros((2, len(marked)), np.uint32)
    mask_kernel.rewrite(data, offsets, lower, starts, np.empty(0, np.uint8), found, False)
    starts = np.cumsum(starts)
    out = np.empty(starts[-1], np.uint8)
    mask_kernel.rewrite(data, offsets, lower, starts, out, found, True)
    del owner  # the Arrow array outlives the views into it
    return texts_from(out, starts, "text"), found
