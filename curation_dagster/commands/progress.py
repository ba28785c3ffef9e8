"""How far the engine is, as bars on a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from curation_dagster import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


def bars(console: Console) -> Progress:
    """Make bars of partitions, by stage."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
    )
    return Progress(*columns, TimeElapsedColumn(), console=console)


@contextmanager
def watched(console: Console) -> Iterator[None]:
    """Show a bar for everything the engine maps meanwhile."""
    with bars(console) as progress:
        tasks: dict[str, TaskID] = {}

        def watch(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = progress.add_task(label, total=total)
            progress.update(tasks[label], completed=done, total=total)

        token = engine.observer.set(watch)
        try:
            yield
        finally:
            engine.observer.reset(token)
