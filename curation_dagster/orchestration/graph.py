"""Recipes to Dagster definitions: a group of assets each; a broken recipe is a failing check, the others load."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import dagster as dg

from curation_dagster.errors import RecipeError
from curation_dagster.lineage import stages
from curation_dagster.orchestration import automation, reconciled
from curation_dagster.recipe import Recipe
from curation_dagster.recipe_file import load


def definitions(paths: Iterable[Path]) -> dg.Definitions:
    """Load every recipe and define its graph."""
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    checks: list[dg.AssetChecksDefinition] = []
    sensors: list[dg.SensorDefinition] = []
    schedules: list[dg.ScheduleDefinition] = []
    names: dict[str, Path] = {}
    for path in sorted(paths):
        try:
            recipe = load(path)
            if recipe.name in names:
                msg = (
                    f"{path}: {names[recipe.name]} is called {recipe.name!r} too; names must differ"
                )
                raise RecipeError(msg)
            scheduled = automation.schedule(recipe)
        except RecipeError as error:
            spec, check = broken(path, str(error))
            assets.append(spec)
            checks.append(check)
        else:
            names[recipe.name] = path
            assets += assets_of(recipe)
            checks.append(reconciled.check(recipe))
            sensors.append(automation.sensor(recipe))
            schedules += [scheduled] if scheduled else []
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        sensors=sensors,
        schedules=schedules,
        executor=dg.in_process_executor,
    )


def assets_of(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """Define all assets of a recipe, in order; module and factory are called as the stage."""
    return [getattr(import_module(f"assets.{s.name}"), s.name)(recipe) for s in stages(recipe)]


def broken(path: Path, message: str) -> tuple[dg.AssetSpec, dg.AssetChecksDefinition]:
    """Stand in for a recipe that cannot be loaded: an asset that says why, with a check that fails."""
    key = dg.AssetKey([path.stem, "recipe"])
    spec = dg.AssetSpec(
        key,
        group_name="broken_recipes",
        description=f"This recipe does not load.\n\n```\n{message}\n```",
    )

    @dg.asset_check(asset=key, name="loads", description="The recipe is valid.")
    def _loads() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, metadata={"error": dg.MetadataValue.text(message)})

    return spec, _loads
