"""`curate duplicates`: what dedup found, from the footer of `duplicates`, and the most repeated texts, redacted.

Of text it reads the shards that hold those few documents, and prints beginnings: personal data of every kind that
`mask` knows is replaced, then every digit is hidden. A name or an address in words is not, nor is anything in the
url: the sample is for a terminal, not for publication.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, get_args

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster import table
from curation_dagster.annotate.mask import mask
from curation_dagster.commands import look
from curation_dagster.counted import counted
from curation_dagster.dedup import figures
from curation_dagster.errors import IntegrityError
from curation_dagster.lineage import ALL
from curation_dagster.recipe_edits import PiiKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Ref

SAMPLE_CHARS: Final = 80
_READ_CHARS: Final = (
    2_000  # masked before it is shortened, so that a cut hides no address from the mask
)
_DIGIT: Final = r"\p{N}"


def duplicates(lineage: Lineage, top: int) -> dict[str, Any]:
    """Collect the figures and the `top` most repeated texts.

    Raises:
        IntegrityError: when `duplicates` is not current, or a table of a shard it names is not.
    """
    ref = lineage.current("duplicates", ALL)
    if ref is None:
        state = lineage.state("duplicates", ALL)
        msg = f"duplicates is {state}; `curate run {lineage.recipe.name} --to duplicates` makes it"
        raise IntegrityError(msg)
    footer = lineage.footer(ref)
    return {
        "recipe": lineage.recipe.name,
        "clusters": sum(footer["cluster_sizes"].values()),
        "documents": footer["rows"],
        "cluster_sizes": dict(sorted(footer["cluster_sizes"].items(), key=lambda kv: int(kv[0]))),
        "sources": figures.losses(footer, lineage.recipe.dedup),
        "overlap": footer["overlap"],
        "sampled": footer["sampled"],
        "most_repeated": _most_repeated(lineage, ref, top) if top else [],
        **_cuts(lineage),
    }


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """Print what was collected, as tables or as JSON."""
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    clusters = counted(found["clusters"], "cluster")
    click.echo(f"{found['recipe']}: {clusters} of {counted(found['documents'], 'document')}")
    _print("cluster sizes", figures.sizes(found))
    _print("removed, by source", found["sources"])
    _print(
        "overlap: documents of a row are duplicates of one kept in a column", figures.overlap(found)
    )
    _print("cuts: text that occurs earlier", found.get("cuts", []))
    for rule, counts in found.get("most_repeated_cuts", {}).items():
        if counts:
            click.echo(
                f"the most repeated {rule}s occur {', '.join(f'{n:,}' for n in counts)} times"
            )
    for bucket in found["sampled"]:
        agreed = f"{bucket['agreed']:,} of {bucket['sample']:,} sampled agree"
        click.echo(f"sampled: a bucket of {bucket['members']:,} members, {agreed}")
    for row in found["most_repeated"]:
        click.secho(
            f"{row['cluster_size']:,} x {row['doc_id']}  {row['url'] or 'no url'}", fg="green"
        )
        click.echo(f"    {row['sample']}")


def redacted(texts: pl.Series) -> pl.Series:
    """Return the first 80 characters of texts, on one line, without personal data and digits.

    >>> redacted(pl.Series(["Ask  Ann (room 12) or Bob@x.org."])).item()
    'Ask Ann (room ##) or user-d#f#dd##@example.com.'
    """
    plain = mask(texts.str.slice(0, _READ_CHARS), get_args(PiiKind))["text"]
    line = plain.str.replace_all(_DIGIT, "#").str.replace_all(r"\s+", " ").str.strip_chars()
    short = line.to_frame("text").select(
        pl.when(pl.col("text").str.len_chars() > SAMPLE_CHARS)
        .then(pl.col("text").str.slice(0, SAMPLE_CHARS) + "…")
        .otherwise("text")
    )
    return short.to_series().rename("sample")


def _cuts(lineage: Lineage) -> dict[str, Any]:
    """Tell what is cut where the recipe asks for cuts and they are computed; `most_repeated_cuts` are occurrences."""
    ref = lineage.current("repeats", ALL) if lineage.recipe.dedup.cuts else None
    if ref is None:
        return {}
    footer = lineage.footer(ref)
    return {"cuts": figures.cuts(footer), "most_repeated_cuts": footer["most_repeated"]}


def _most_repeated(lineage: Lineage, ref: Ref, top: int) -> list[dict[str, Any]]:
    wanted = ["shard", "row", "doc_id", "cluster_size", "keep"]
    with lineage.store.fetch(ref) as (path,):
        parts = [_largest(batch.filter("keep"), top) for batch in table.batches(path, wanted)]
    if not parts:
        return []
    picked = _largest(pl.concat(parts), top)
    shown = []
    for (shard,), rows in picked.group_by("shard", maintain_order=True):
        texts, urls = _texts(lineage, str(shard), rows["row"].to_list())
        samples = redacted(pl.Series([texts.get(r) for r in rows["row"]], dtype=pl.String))
        source = lineage.shards[str(shard)].source
        for row, sample in zip(rows.iter_rows(named=True), samples, strict=True):
            known = {"source": source, "url": urls.get(row["row"]), "sample": sample}
            shown.append({k: row[k] for k in ("cluster_size", "doc_id", "shard")} | known)
    return sorted(shown, key=lambda row: (-row["cluster_size"], row["doc_id"]))


def _largest(rows: pl.DataFrame, top: int) -> pl.DataFrame:
    return rows.sort("cluster_size", "doc_id", descending=[True, False]).head(top)


def _texts(
    lineage: Lineage, shard: str, rows: list[int]
) -> tuple[Mapping[int, str], Mapping[int, str | None]]:
    """Read the texts and urls of some rows of a shard, as they were compared: after edits.

    Raises:
        IntegrityError: when `raw` or `annotated` of the shard is not current.
    """
    with lineage.store.open(look.current(lineage, "raw", shard)) as stream:
        here = [b.filter(pl.col("row").is_in(rows)) for b in table.batches(stream, ["row", "url"])]
    return look.text_of(lineage, shard, rows), dict(pl.concat(here).iter_rows())


def _print(title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    for number, name in enumerate(rows[0]):
        shown.add_column(
            name.replace("_", " "), justify="right" if number else "left", no_wrap=True
        )
    for row in rows:
        over = row.get("removed_share", 0.0) > row.get("max_removed_share", 1.0)
        shown.add_row(*map(figures.cell, row.values()), style="red" if over else None)
    Console().print(shown)
