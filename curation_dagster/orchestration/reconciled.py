"""The check `reconciled` of `release`: the store holds every partition that the plan and the recipe expect.

Other checks look at what a run has made, inside its step; what is lost afterwards, or was never made because a worker
was killed, no step sees. So this one is a check of its own, which the sensor evaluates whenever it looks (what it needs
has been listed by then) and reports when the answer has changed; a click in the UI evaluates it, too. It is a warning:
while new files are being worked on it says how many are left.
"""

from typing import Any

import dagster as dg

from curation_dagster import census
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration.stage import key
from curation_dagster.recipe import Recipe
from curation_dagster.store import Store

NAME = "reconciled"
DESCRIPTION = """The store holds every partition that the plan expects, made from what the recipe says now, and the
release is rendered whole. `curate reconcile` names what is not there, `--repair` makes it."""


def check(recipe: Recipe) -> dg.AssetChecksDefinition:
    """Define the check, for a click in the UI and for what runs `release`."""

    @dg.asset_check(asset=key(recipe, "release"), name=NAME, description=DESCRIPTION)
    def _reconciled() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(**_answer(lacking(Lineage(recipe, Store.of(recipe)))))

    return _reconciled


def evaluation(recipe: Recipe, said: str) -> dg.AssetCheckEvaluation:
    """Return the event that a sensor reports."""
    release = key(recipe, "release")
    return dg.AssetCheckEvaluation(asset_key=release, check_name=NAME, **_answer(said))


def _answer(said: str) -> dict[str, Any]:
    metadata = {"lacks": said or "nothing"}
    return {"passed": not said, "severity": dg.AssetCheckSeverity.WARN, "metadata": metadata}


def lacking(lineage: Lineage) -> str:
    """Say what the store lacks, by stage; "" for nothing."""
    found = census.lacking(lineage)
    return "; ".join(
        f"{stage}: " + ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
        for stage, kinds in found.items()
    )
