"""What Dagster loads: the graphs of every recipe of the project.

Recipes are `recipes/*.toml` beside the package in a clone, else in the working folder;
CURATE_RECIPES names another folder.
"""

from curation_dagster.orchestration.graph import definitions
from curation_dagster.recipe_file import recipe_folder

defs = definitions(recipe_folder().glob("*.toml"))
