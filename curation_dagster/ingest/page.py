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

if TYPE_CHECKING:
    from curation_dagster.ingest.blocks.scratch import Scanned
    from curation_dagster.recipe import Ingest

Row = dict[str, Any]
_TITLE_CHARS: Final = 200  # of an explanation


def page(body: bytes, charset: str | None, url: str | None, config: Ingest) -> Row:
    """Return the fields of `schema.RAW` that a page gives: text or the reason for none, and its tags."""
    from curation_dagster.ingest.blocks import extract, scratch

    if not body.strip():
        return {"rejected_by": "ingest.empty"}
    decoded = decode(body, charset)
    row: Row = {"charset": decoded.charset, "replaced_char_ratio": decoded.replaced_ratio}
    if decoded.replaced_ratio > config.max_replaced_char_ratio:
        return row | {"rejected_by": "ingest.undecodable"}
    scanned = scratch.scan(decoded.utf8)
    if scanned.status:
        return row | {"rejected_by": "ingest.too_complex", "title": extract.REFUSED[scanned.status]}
    said = about(extract.tags(scanned), url)
    row |= {
        "title": said.title,
        "license": said.license,
        "declared_language": said.language,
        "canonical_url": said.canonical_url,
    }
    try:
        text = _text(scanned, decoded.utf8, config)
    except (ValueError, RuntimeError) as error:  # a library gives up on the page
        return row | {"rejected_by": "ingest.unparsable", "title": str(error)[:_TITLE_CHARS]}
    return row | ({"text": text} if text.strip() else {"rejected_by": "ingest.no_text"})


def plain(body: bytes, charset: str | None, config: Ingest) -> Row:
    """Return the fields of a plain text."""
    decoded = decode(body, charset, html=False)
    row: Row = {"charset": decoded.charset, "replaced_char_ratio": decoded.replaced_ratio}
    if decoded.replaced_ratio > config.max_replaced_char_ratio:
        return row | {"rejected_by": "ingest.undecodable"}
    text = decoded.utf8.decode()
    return row | ({"text": text} if text.strip() else {"rejected_by": "ingest.no_text"})


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


def _text(scanned: Scanned, utf8: bytes, config: Ingest) -> str:
    if config.extractor == "blocks":
        from curation_dagster.ingest.blocks.extract import main_text

        return main_text(scanned, markdown=config.markup == "markdown", comments=config.comments)
    if config.extractor == "fast":
        from resiliparse.extract.html2text import extract_plain_text

        text: str = extract_plain_text(
            utf8.decode(), main_content=True, comments=config.comments, post_meta=False, alt_texts=False,
            list_bullets=True,
        )  # fmt: skip
        return text
    import trafilatura

    return (
        trafilatura.extract(
            utf8.decode(),
            include_comments=config.comments,
            output_format="markdown" if config.markup == "markdown" else "txt",
        )
        or ""
    )
