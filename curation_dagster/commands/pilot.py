"""`curate run --pilot`: a keyed sample of the shards from end to end, and what the whole would come to.

A pilot is a recipe of its own, `NAME-pilot`, over the same root: what it computes of single shards is the whole run's
too. Budgets of the mixture shrink with the bytes. What is measured is scaled up by input bytes, of each source by
itself; what is read whole (`duplicates`, `mixture`, exported shards) by those of all, as if its cost grew evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster import engine, plan, table
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.lineage import ALL, Lineage, stages
from curation_dagster.orchestration import report
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagster as dg

    from curation_dagster.plan import Shard
    from curation_dagster.recipe import Recipe

_HOUR_S, _GIGA, _MEGA = 3600, 1e9, 1e6


def share_of(text: str) -> float:
    """Read "1%" or "0.01".

    Raises:
        ValueError: for anything that is no share between 0 and 1.
    """
    number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 < number <= 1:
        raise ValueError(text)
    return number


def recipe_of(recipe: Recipe, share: float) -> Recipe:
    """Return the recipe of a pilot over what is planned.

    Raises:
        RecipeError: when nothing is planned.
    """
    whole = plan.shards(recipe, Store.of(recipe))
    small = recipe.model_copy(update={"name": f"{recipe.name}-pilot", "pilot": share})
    sampled = plan.shards(small, Store.of(recipe))
    if not sampled:
        raise RecipeError(f"{recipe.name}: no shards are planned yet; `curate plan {recipe.name}`")
    part = _bytes(sampled) / max(1, _bytes(whole))
    phases = tuple(
        phase.model_copy(update={"tokens": max(1, round(phase.tokens * part))})
        for phase in recipe.mix.phases
    )
    return small.model_copy(update={"mix": recipe.mix.model_copy(update={"phases": phases})})


@dataclass(frozen=True)
class Scaled:
    """What one stage would come to over the whole: seconds of one worker, bytes stored, documents and tokens kept."""

    stage: str
    seconds: float | None
    bytes: float
    kept: float | None
    tokens: float | None


def extrapolate(instance: dg.DagsterInstance, recipe: Recipe, pilot: Lineage) -> list[Scaled]:
    """Scale every stage of a pilot up to the recipe's planned shards."""
    whole, sampled = plan.shards(recipe, pilot.store), list(pilot.shards.values())
    factors = {
        source: _bytes(whole, source) / max(1, _bytes(sampled, source))
        for source in {shard.source for shard in sampled}
    }
    overall = _bytes(whole) / max(1, _bytes(sampled))
    found = []
    for stage in stages(recipe):
        sums: dict[str, float] = {}
        untimed = False
        for key in pilot.partitions(stage.name):
            ref = pilot.current(stage.name, key)
            if ref is None:
                continue
            factor, names = overall, [pilot.recipe.name]
            if stage.partitions == "shard":  # the whole run may have computed it
                factor, names = factors[pilot.shards[key].source], [*names, recipe.name]
            seconds = report.seconds_of(instance, names, stage.name, key)
            untimed |= seconds is None
            footer = pilot.footer(ref)
            measured = {
                "seconds": seconds,
                "bytes": ref.bytes,
                "kept": footer.get("kept"),
                "tokens": footer.get("tokens_kept"),
            }
            for name, value in measured.items():
                if value is not None:
                    sums[name] = sums.get(name, 0) + value * factor
        of_documents = stage.partitions == "shard"
        found.append(
            Scaled(
                stage.name,
                None if untimed else sums.get("seconds"),
                sums.get("bytes", 0),
                sums.get("kept") if of_documents else None,
                sums.get("tokens") if of_documents else None,
            )
        )
    return found


def show(recipe: Recipe, pilot: Lineage, rows: Sequence[Scaled]) -> None:
    """Print what the whole would come to, and its mixture."""
    whole, sampled = plan.shards(recipe, pilot.store), list(pilot.shards.values())
    part = _bytes(sampled) / max(1, _bytes(whole))
    shown = Table(
        f"the whole, from {len(sampled)} of {counted(len(whole), 'shard')}", box=box.SIMPLE
    )
    seconds_in_all = sum(row.seconds or 0 for row in rows)
    stored = sum(row.bytes for row in rows)
    long, large = seconds_in_all >= _HOUR_S, stored >= _GIGA
    time_unit, size_unit = _HOUR_S if long else 1, _GIGA if large else _MEGA
    headings = (
        "worker hours" if long else "worker seconds",
        "GB stored" if large else "MB stored",
        "documents kept",
        "tokens kept",
    )
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        took = "?" if row.seconds is None else f"{row.seconds / time_unit:,.2f}"
        documents, tokens = (_rounded(value) for value in (row.kept, row.tokens))
        shown.add_row(row.stage, took, f"{row.bytes / size_unit:,.2f}", documents, tokens)
    in_all = f"{seconds_in_all / time_unit:,.2f}", f"{stored / size_unit:,.2f}"
    shown.add_row("in all", *in_all, "", "")
    Console().print(shown)
    workers = recipe.workers or engine.cores()
    click.echo(
        f"{_bytes(sampled) / _MEGA:,.1f} of {_bytes(whole) / _MEGA:,.1f} MB of input ({part:.2%}); "
        f"about {seconds_in_all / workers / time_unit:,.2f} {'h' if long else 's'} "
        f"on {counted(workers, 'worker')}"
    )
    if unknown := [row.stage for row in rows if row.seconds is None]:
        click.echo(f"?: computed elsewhere, its time is not known here: {', '.join(unknown)}")
    for line in _mixture(recipe, pilot, whole, sampled):
        click.echo(line)


def _mixture(
    recipe: Recipe, pilot: Lineage, whole: Sequence[Shard], sampled: Sequence[Shard]
) -> list[str]:
    """Say for each phase and source what the whole supply would be, and the epochs of it that the budget asks for."""
    ref = pilot.current("mixture", ALL)
    if ref is None:
        return []
    with pilot.store.fetch(ref) as (path,):
        rows = table.read(path).to_dicts()
    phases = {phase.name: phase for phase in recipe.mix.phases}
    lines = []
    for row in rows:
        phase = phases[row["phase"]]
        target = phase.tokens * row["weight"]
        supply = row["supply_tokens"] * _bytes(whole, row["domain"])
        supply /= max(1, _bytes(sampled, row["domain"]))
        epochs = f"{target / supply:,.2f} epochs" if supply else "no supply"
        short = " (above max_epochs)" if target > supply * phase.max_epochs else ""
        lines.append(
            f"  mixture {row['phase']}/{row['domain']}: {target:,.0f} tokens are {epochs} of about "
            f"{supply:,.0f}{short}"
        )
    return lines


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _bytes(shards: Sequence[Shard], source: str | None = None) -> int:
    return sum(shard.bytes for shard in shards if source in {None, shard.source})
