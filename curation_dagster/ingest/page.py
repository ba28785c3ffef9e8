"""A page's bytes to its main text and what it says of itself, by the extractor a recipe names.

`blocks` is ours (`ingest.blocks`), `fast` is resiliparse (Bevendorff et al., 2018), `trafilatura` is
Barbaresi (2021). Whichever it is, our scanner reads the page first: for its tags, and to refuse one
with more elements than any of them takes in reasonable time. Not here: HTTP, records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from curation_dagster.errors import RecipeError
from curation_dagster.ingest.about import about
from curation_dagster.ingest.charset import decode
from curation_dagster.ingest.http import CONTROLS

if TYPE_CHECKING:
    from curation_dagster.recipe import Ingest

Row = dict[str, Any]
_MAX_REASON_CHARS: Final = 200
_LIBRARY_DEPTH: Final = 5000  # resiliparse takes quadratic time below, and then the whole process
_LOOKED_AT_BYTES, _CONTROL_SHARE = 4096, 0.02  # more control characters than that are no text


def page(body: bytes, charset: str | None, url: str | None, config: Ingest) -> Row:
    """Return the fields of `schema.RAW` that a page gives: text or the reason for none, and its tags."""
    from curation_dagster.ingest.blocks import extract, scratch

    if not body.strip():
        return {"rejected_by": "ingest.empty"}
    row, utf8 = _decoded(body, charset, config, is_html=True)
    if utf8 is None:
        return row
    scanned = scratch.scan(utf8)
    if scanned.status:
        return row | refused("ingest.too_complex", extract.REFUSED[scanned.status])
    said = about(extract.tags(scanned), url)
    row |= {
        "title": said.title,
        "license": said.license,
        "declared_language": said.language,
        "canonical_url": said.canonical_url,
    }
    if config.extractor == "blocks":
        text = extract.main_text(
            scanned, description=said.description,
            markdown=config.markup == "markdown", comments=config.comments,
        )  # fmt: skip
    elif scanned.max_depth > _LIBRARY_DEPTH:
        return row | refused(
            "ingest.too_complex", f"elements nested deeper than {_LIBRARY_DEPTH:,}"
        )
    else:
        try:
            text = _by_library(utf8.decode(), config)
        except Exception as error:  # noqa: BLE001 - whatever a library raises on a page is that page's trouble
            return row | refused("ingest.unparsable", f"{type(error).__name__}: {error}")
    return row | ({"text": text} if text.strip() else {"rejected_by": "ingest.no_text"})


def plain(body: bytes, charset: str | None, config: Ingest) -> Row:
    """Return the fields of a plain text."""
    row, utf8 = _decoded(body, charset, config, is_html=False)
    if utf8 is None:
        return row
    text = utf8.decode()
    return row | ({"text": text} if text.strip() else {"rejected_by": "ingest.no_text"})


def refused(rule: str, reason: str) -> Row:
    """Return the fields of a record that is rejected for a reason worth telling."""
    return {"rejected_by": rule, "reason": reason[:_MAX_REASON_CHARS]}


def require(extractor: str) -> None:
    """Refuse an extractor that is not installed.

    Raises:
        RecipeError: which says what to install.
    """
    if extractor != "trafilatura":
        return
    try:
        import trafilatura  # noqa: F401
    except ImportError as error:
        msg = f'ingest.extractor = "trafilatura" needs an extra: pip install "curation_dagster[trafilatura]" ({error})'
        raise RecipeError(msg) from error


def _decoded(
    body: bytes, charset: str | None, config: Ingest, *, is_html: bool
) -> tuple[Row, bytes | None]:
    """Decode to UTF-8; no bytes where that loses too much, or what comes out is no text."""
    decoded = decode(body, charset, html=is_html)
    row: Row = {"charset": decoded.charset, "replaced_char_ratio": decoded.replaced_ratio}
    if decoded.replaced_ratio > config.max_replaced_char_ratio:
        return row | {"rejected_by": "ingest.undecodable"}, None
    head = decoded.utf8[:_LOOKED_AT_BYTES]
    if len(head) - len(head.translate(None, CONTROLS)) > _CONTROL_SHARE * len(head):
        return row | {"rejected_by": "ingest.not_text"}, None
    return row, decoded.utf8


def _by_library(html: str, config: Ingest) -> str:
    if config.extractor == "fast":
        from resiliparse.extract.html2text import extract_plain_text

        text: str = extract_plain_text(
            html, main_content=True, comments=config.comments, post_meta=False, alt_texts=False,
            list_bullets=True,
        )  # fmt: skip
        return text
    import trafilatura

    markup = "markdown" if config.markup == "markdown" else "txt"
    return trafilatura.extract(html, include_comments=config.comments, output_format=markup) or ""
