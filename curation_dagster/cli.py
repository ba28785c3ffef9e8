"""`curate`: the command line. Every command names its exit codes; what a command needs is imported when it runs.

Exit codes: 0 done; 1 a partition failed, or the data is not what it should be; 2 the command or the
recipe is wrong; 3 everything ran and a check failed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curation_dagster.counted import counted
from curation_dagster.errors import CurationError, RecipeError

if TYPE_CHECKING:
    from curation_dagster.lineage import Lineage
    from curation_dagster.recipe import Recipe

CODES = "Exit codes: 0 done, 1 failed, 2 wrong call or recipe, 3 a check failed."
DEFAULT_RECIPE = "demo"
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """Commands in the order they are used, whose errors are one clear message, never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own
        """Return the commands as they are defined, which is how they are used."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own
        """Run a command."""
        try:
            return super().invoke(ctx)
        except RecipeError as error:
            click.secho(str(error), fg="red", err=True)
            ctx.exit(2)
        except CurationError as error:
            click.secho(f"{type(error).__name__}: {error}", fg="red", err=True)
            ctx.exit(1)


class Listing(click.Group):
    """A group whose first word may be what its command `list` is called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` before a word that is no command."""
        first = next((word for word in args if not word.startswith("-")), None)
        asks = {"-h", "--help"} & set(args)
        return super().parse_args(
            ctx, args if first in self.commands or (asks and not first) else ["list", *args]
        )


@click.group(cls=Commands, context_settings=CONTEXT, epilog=CODES)
@click.version_option(package_name="curation_dagster")
def main() -> None:
    """Turn raw crawls into a pretraining corpus, as a Dagster asset graph.

    RECIPE is a name (recipes/NAME.toml) or a path. Start with `curate init`, then `check`, `run`,
    `funnel`.
    """


def find_recipe(name: str) -> Path:
    """Find a recipe by path, or by name in recipes/.

    Raises:
        RecipeError: saying where it was looked for.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return path
    from curation_dagster.recipe_file import recipe_folder

    return recipe_folder() / f"{name}.toml"


def open_recipe(name: str) -> Recipe:
    """Load a recipe by name or path."""
    from curation_dagster.recipe_file import load

    return load(find_recipe(name))


def open_lineage(name: str) -> Lineage:
    """Load a recipe and the state of its root."""
    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Store

    recipe = open_recipe(name)
    return Lineage(recipe, Store.of(recipe))


def find_lineage(doc_id: str) -> Lineage:
    """Find the recipe whose plan has a document.

    Raises:
        RecipeError: when none of recipes/ has.
    """
    from curation_dagster.commands.explain import locate, why_out
    from curation_dagster.recipe_file import recipe_folder

    for path in sorted(recipe_folder().glob("*.toml")):
        try:
            lineage = open_lineage(str(path))
        except RecipeError:
            continue  # a broken recipe has no documents
        if locate(lineage, doc_id) or why_out(lineage, doc_id):
            return lineage
    msg = (
        f"{doc_id}: no recipe in {recipe_folder()} has planned such documents; name one by --recipe"
    )
    raise RecipeError(msg)


def home_of(recipe_path: Path) -> Path:
    """Return the folder whose `.dagster` keeps the runs: the one above `recipes/`, else the working folder."""
    folder = recipe_path.resolve().parent
    return folder.parent if folder.name == "recipes" else Path.cwd()


@main.command()
@click.argument("name")
@click.argument("paths", nargs=-1, required=True)
@click.option("--root", default="../data/store", show_default=True, help="Where partitions go.")
def init(name: str, paths: tuple[str, ...], root: str) -> None:
    """Write a commented recipe NAME for files, globs or folders PATHS (WARC, JSONL, Parquet, HTML, text).

    A folder stands for what lies in it and below: the WARC files if there are any, else WET, Parquet, JSONL,
    HTML or text files. Urls such as s3://bucket/*.warc.gz are taken as they are.
    """
    from curation_dagster.scaffold import write_recipe

    path, chosen = write_recipe(find_recipe(name), paths, root)
    for line in chosen:
        click.echo(line)
    click.echo(f"wrote {path}\nnext: curate check {name}; curate run {name}")


@main.command()
@click.argument("recipe")
def check(recipe: str) -> None:
    """Validate RECIPE: keys, values, presets, files and sources, before any work."""
    from curation_dagster.commands import benchmarks as benchmarks_
    from curation_dagster.commands.validate import look_inside, validate
    from curation_dagster.lineage import stages
    from curation_dagster.plan import list_inputs
    from curation_dagster.recipe_file import digest

    loaded = open_recipe(recipe)
    for source in loaded.sources:
        inputs = list_inputs(source, loaded.endpoint_url)
        size = sum(entry[2] for entry in inputs)
        files = counted(len(inputs), "file")
        click.echo(f"source {source.name}: {files}, {size / 1e6:,.1f} MB")
        for note in look_inside(loaded, source, inputs[0][0], inputs[0][1]):
            click.echo(f"  note: {note}")
    validate(loaded)
    for row in benchmarks_.listed(loaded.decontaminate):
        click.echo(benchmarks_.brief(row))
    click.echo(f"{loaded.name}: valid, {len(stages(loaded))} stages, digest {digest(loaded)}")


@main.command()
@click.argument("recipe")
def plan(recipe: str) -> None:
    """Group new input files of RECIPE's sources into shards. Planned shards never change."""
    from curation_dagster import plan as plan_
    from curation_dagster.store import Store

    loaded = open_recipe(recipe)
    store = Store.of(loaded)
    new = plan_.plan(loaded, store)
    for shard in new:
        click.echo(
            f"{shard.key}  generation {shard.generation}  {counted(len(shard.inputs), 'file')}  "
            f"{counted(shard.bytes, 'byte')}"
        )
    click.echo(f"{counted(len(new), 'new shard')}, {len(plan_.shards(loaded, store))} in all")


@main.command()
@click.argument("recipe")
@click.option("--from", "first", help="First stage to run; default raw.")
@click.option("--to", "last", help="Last stage to run; default release.")
@click.option(
    "--shards", help="Partition keys, comma-separated; default all. Corpus stages need all shards."
)
@click.option(
    "--force",
    is_flag=True,
    help="Recompute even what is current; the bytes must come out the same.",
)
@click.option("--no-plan", is_flag=True, help="Do not look for new input files first.")
@click.option(
    "--pilot",
    metavar="SHARE",
    help="Only about this share of the shards, such as 1%, from end to end; then say what the whole would come to.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be computed, why, and about how long it takes."
)
def run(
    recipe: str, shards: str | None, no_plan: bool, pilot: str | None, dry_run: bool, **wanted: Any  # noqa: ANN401
) -> None:  # fmt: skip
    """Materialize RECIPE's stages through Dagster; what is current is reused.

    A pilot is a recipe RECIPE-pilot over the same root: what it computes of single shards the whole run reuses.

    Exit codes: 0 done, 1 a partition failed (the others are committed; run again to go on), 3 a
    check failed, or a gate refused (`curate gates`).
    """
    from curation_dagster.commands import run as run_

    if pilot and shards:
        raise click.UsageError("--pilot chooses the shards; leave out --shards")
    options = run_.Options(
        **wanted,
        shards=tuple(shards.split(",")) if shards else None,
        plan=not no_plan,
        pilot=_share(pilot) if pilot else None,
    )
    loaded, folder = open_recipe(recipe), home_of(find_recipe(recipe))
    raise SystemExit((run_.dry_run if dry_run else run_.run)(loaded, folder, options))


def _share(text: str) -> float:
    from curation_dagster.commands.pilot import share_of

    try:
        return share_of(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no share such as 1% or 0.01") from error


@main.command()
@click.argument("recipe")
@click.option("--from", "first", help="First stage; default raw.")
@click.option("--to", "last", default="scanned", show_default=True, help="Last stage.")
@click.option("--shards", help="Partition keys, comma-separated; default all.")
@click.option("--source", help="Only shards of this source.")
@click.option("--wait", is_flag=True, help="Watch it to its end and compare with the store.")
@click.option("--cancel", "backfill", metavar="ID", help="Stop a backfill instead.")
@click.option(
    "--url",
    default="http://127.0.0.1:3000",
    show_default=True,
    envvar="CURATE_URL",
    show_envvar=True,
    help="The Dagster web server: `curate ui`, or a proxy: https://NAME:PASSWORD@HOST.",
)  # fmt: skip
def backfill(recipe: str, url: str, backfill: str | None, **wanted: Any) -> None:  # noqa: ANN401 - Options' fields
    """Have the Dagster daemon compute what is not current of RECIPE's stages, as a backfill the UI shows.

    Plans new files first. Only what is not current is asked for, so the same command goes on with a backfill that was
    cancelled or that failed. `curate run` does the same without web server and daemon.

    Exit codes: 0 done or submitted, 1 not everything asked for is there at the end, or no web server answers, 2 wrong
    call or recipe.
    """
    from curation_dagster.commands import backfill as backfill_

    server = backfill_.Server(url)
    if backfill:
        backfill_.cancel(backfill, server)
        return
    shards = tuple(wanted.pop("shards").split(",")) if wanted["shards"] else None
    options = backfill_.Options(**wanted | {"shards": shards})
    loaded, folder = open_recipe(recipe), home_of(find_recipe(recipe))
    raise SystemExit(backfill_.submit(loaded, folder, options, server))


@main.command()
@click.argument("recipe")
@click.option(
    "--verify", is_flag=True, help="Read every current file and compare it with its name."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(recipe: str, verify: bool, as_json: bool) -> None:
    """Say for every stage of RECIPE how many partitions are current, stale, missing or blocked.

    Exit codes: 0, or 1 when --verify finds a damaged file.
    """
    from curation_dagster.commands import look

    raise SystemExit(look.status(open_lineage(recipe), verify=verify, as_json=as_json))


@main.command()
@click.argument("recipe")
@click.option("--repair", is_flag=True, help="Mend it: remove damaged files, run what is lacking.")
@click.option(
    "--verify", is_flag=True, help="Read every current file and compare it with its name."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reconcile(recipe: str, repair: bool, verify: bool, as_json: bool) -> None:
    """Compare what RECIPE's root should hold with what it holds, and with what Dagster believes.

    Missing: no file. Stale: made from something else. Foreign: no plan or recipe accounts for it. Damaged: not what its
    name says. Interrupted: a plan, a release or a run whose process was killed.

    Exit codes: 0 all is there, or was repaired; 1 something is off.
    """
    from curation_dagster.commands import reconcile as reconcile_

    loaded, folder = open_recipe(recipe), home_of(find_recipe(recipe))
    raise SystemExit(
        reconcile_.reconcile(loaded, folder, repair=repair, verify=verify, as_json=as_json)
    )


@main.command()
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def funnel(recipe: str, as_json: bool) -> None:
    """Print documents, bytes and tokens in and out of every stage of RECIPE, and why documents were rejected."""
    from curation_dagster.commands import look
    from curation_dagster.funnel import funnel as funnel_

    found = funnel_(open_lineage(recipe))
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        look.print_funnel(found, most=None)


@main.command()
@click.argument("recipe")
@click.option("--signal", required=True, help="Which; `curate signals` lists all.")
@click.option(
    "--stage",
    type=click.Choice(["annotated", "scored"]),
    help="Whose table to read; default: the one that has the signal.",
)
@click.option("--shards", help="Partition keys, comma-separated; default all that are current.")
@click.option("--at", type=float, help="A threshold to try, beside those that are there.")
@click.option(
    "-n",
    "samples",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    help="Documents on either side.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also write the report as one file to look at in a browser.",
)
def tune(
    recipe: str, signal: str, stage: str | None, shards: str | None, at: float | None, samples: int, html: Path | None
) -> None:  # fmt: skip
    """Show what a threshold on one signal would reject of RECIPE's documents, and documents on both sides of it.

    Reads the table that is there and computes nothing: its distribution, a ladder of thresholds with the share of
    documents and bytes each rejects, alone and in addition to the recipe's other rules.

    Exit codes: 0, 1 when nothing is computed yet, 2 for a wrong call or recipe.
    """
    from curation_dagster.commands import tune as tune_
    from curation_dagster.commands import tune_html, tune_text

    wanted = tuple(shards.split(",")) if shards else ()
    options = tune_.Options(signal, stage, wanted, samples, at)
    report = tune_.survey(open_lineage(recipe), options)
    click.echo(tune_text.text(report, shutil.get_terminal_size().columns))
    if html:
        try:
            html.write_text(tune_html.page(report), "utf-8")
        except OSError as error:
            raise click.FileError(str(html), error.strerror or "") from error
        click.echo(f"\nwrote {html}", err=True)


@main.command()
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def du(recipe: str, as_json: bool) -> None:
    """Say how much of RECIPE's root is its own, other recipes' (or a release's), and nobody's."""
    from curation_dagster.commands import space

    space.du(open_recipe(recipe), find_recipe(recipe), as_json=as_json)


@main.command()
@click.argument("recipe")
@click.option(
    "--keep-days",
    type=click.FloatRange(0),
    default=7.0,
    show_default=True,
    help="Leave younger files: a recipe that is being tried may come back to them.",
)
@click.option("--yes", is_flag=True, help="Remove the files; without it they are only counted.")
def gc(recipe: str, keep_days: float, yes: bool) -> None:
    """Remove files of RECIPE's root that no recipe beside it needs now, nor a published release.

    Going back to an older recipe then computes again what was removed. Plans and source files stay. A recipe that
    shares the root from another folder or machine is not known here.
    """
    from curation_dagster.commands import space

    space.gc(open_recipe(recipe), find_recipe(recipe), keep_days=keep_days, yes=yes)


@main.command()
@click.argument("recipe")
@click.argument("source", required=False)
@click.option("--because", help="The reason, kept with the date and the user's name.")
@click.option("--by", help="Who decided; default: the user of this machine.")
@click.option("--undo", is_flag=True, help="Bring the source back.")
def retire(
    recipe: str, source: str | None, because: str | None, by: str | None, undo: bool
) -> None:
    """Take SOURCE out of every corpus over RECIPE's root; without SOURCE, list what is out.

    Its shards are in no graph any more, new files are not planned, and the next run computes what depends on all
    shards without them. Nothing is removed: `curate gc` does that, `curate takedown --erase` removes texts
    from published files too.
    """
    from curation_dagster.commands import retire as retire_

    loaded = open_recipe(recipe)
    if source is None:
        retire_.tell(loaded)
    elif undo:
        retire_.restore(loaded, source)
    elif because:
        retire_.retire(loaded, source, because, by)
    else:
        raise click.UsageError("say why: --because TEXT; or --undo")


TARGET = click.argument("target", nargs=-1, required=True, metavar="[RECIPE] STAGE")


@main.command()
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def gates(recipe: str, as_json: bool) -> None:
    """List what of RECIPE's corpus is outside of its gates: retention, licences, probes; open or accepted.

    Judges the files that are there; nothing is computed or written.

    Exit codes: 0, 3 when a gate is open: `mixture` and all after it wait for `curate accept`.
    """
    from curation_dagster.commands import accept as accept_

    lineage = open_lineage(recipe)
    rows = accept_.listed(lineage)
    told = [json.dumps(rows, indent=1)] if as_json else accept_.tell(lineage.recipe.name, rows)
    click.echo("\n".join(told))
    if any(row["open"] for row in rows):
        raise SystemExit(accept_.CHECK_FAILED)


@main.command()
@TARGET
@click.option("--because", required=True, help="Why this is right; the release tells it.")
@click.option("--by", help="Who says so; default: the user's name.")
def accept(target: tuple[str, ...], because: str, by: str | None) -> None:
    """Accept what of STAGE is outside of its gates, so that the corpus goes on. Default RECIPE: demo.

    Covers what is open now: a shard that changes, or a new limit, is asked about again. The record lies under gates/ in
    the root and is part of the release.

    Exit codes: 0, 2 when no gate of STAGE is open, or for a wrong call or recipe.
    """
    from curation_dagster.commands import accept as accept_

    recipe, stage = split_target(target, ("RECIPE", "STAGE"))
    said = accept_.accept(open_lineage(recipe), stage, because, by)
    click.echo(f"by {said.by}, because {said.because}; next: curate run {recipe}")


@main.command()
@TARGET
@click.option(
    "--rule", help="Only documents this rule rejected, e.g. gopher_min_words; default: any."
)
@click.option("-n", "count", default=3, show_default=True, help="Documents of each kind.")
def sample(target: tuple[str, ...], rule: str | None, count: int) -> None:
    """Show documents that STAGE rejected, beside some that it kept. Default RECIPE: demo."""
    from curation_dagster.commands import look

    recipe, stage = split_target(target, ("RECIPE", "STAGE"))
    look.sample(open_lineage(recipe), stage, rule, count)


@main.command()
@TARGET
def ls(target: tuple[str, ...]) -> None:
    """List the files of STAGE: partition, state, rows, kept, size, name. Default RECIPE: demo."""
    from curation_dagster.commands import look

    recipe, stage = split_target(target, ("RECIPE", "STAGE"))
    look.ls(open_lineage(recipe), stage)


@main.command()
@click.argument("target", nargs=-1, required=True, metavar="[RECIPE] STAGE [PARTITION]")
@click.option("-n", "count", default=10, show_default=True, help="Rows to print.")
def cat(target: tuple[str, ...], count: int) -> None:
    """Print rows of STAGE as JSON lines. Defaults: RECIPE demo, every PARTITION in order."""
    from curation_dagster.commands import look

    recipe, stage, *partition = split_target(target, ("RECIPE", "STAGE", "PARTITION"))
    look.cat(open_lineage(recipe), stage, partition[0] if partition else None, count)


def split_target(target: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """Put the default recipe before a target that begins with a stage.

    Raises:
        click.UsageError: for too few words, or too many.
    """
    from curation_dagster.lineage import BY_NAME

    full = (DEFAULT_RECIPE, *target) if target[0] in BY_NAME else target
    if not 1 < len(full) <= len(words):
        msg = f"expected {' '.join(words)}, found {' '.join(target)}"
        raise click.UsageError(msg)
    return full


@main.command()
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--top",
    type=click.IntRange(0, 10_000),
    default=10,
    show_default=True,
    help="Most repeated texts to show.",
)
def duplicates(recipe: str, as_json: bool, top: int) -> None:
    """Show the duplicates of RECIPE: cluster sizes, what each source loses and to which, the most repeated texts.

    Reads the footer of `duplicates`, and of the shards those whose documents it shows. A sample is the beginning of the
    kept document's text; personal data in it is replaced (all kinds of `mask`) and every digit is a #. The url is shown
    as it is.

    Exit codes: 0, 1 when `duplicates` is not current, 2 for a wrong call or recipe.
    """
    from curation_dagster.commands import duplicates as duplicates_

    duplicates_.show(duplicates_.duplicates(open_lineage(recipe), top), as_json=as_json)


NAMED = click.Path(exists=True, dir_okay=False, path_type=Path)


@main.command()
@click.argument("recipe")
@click.option("--texts", type=NAMED, help="What is named: text, JSONL, Parquet, HTML, as a source.")
@click.option("--urls", type=NAMED, help="What is named: a url a line.")
@click.option("--ids", type=NAMED, help="What is named: a doc_id a line.")
@click.option(
    "--min-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of a text's 13-grams that a document holds, or more.",
)
@click.option(
    "--named-only",
    is_flag=True,
    help="Leave other documents alone that have the text of one found.",
)
@click.option("--erase", is_flag=True, help="Blank what is found in every stored file, for good.")
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
@click.option("--verify", is_flag=True, help="Look whether any file holds what was erased before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def takedown(recipe: str, **chosen: Any) -> None:  # noqa: ANN401 - `takedown.Options` has the types
    """List what of RECIPE's root holds the texts, urls or ids that a rights holder names.

    Documents, shards, files, releases: of every stored file with text, whichever recipe made it. Nothing is
    changed without --erase, which writes a list of hashes and ids, replaces `raw` by one whose rows are
    ingest.erased, and removes what was made from the texts; the next run makes it anew. Read again from its source,
    or in a later crawl, an erased text stays out. The source's own files are not touched.

    Exit codes: 0, 1 when a file cannot be read, 2 for a wrong call, 3 when --verify finds an erased text.
    """
    from curation_dagster.commands import takedown as takedown_

    options = takedown_.Options(**chosen)
    if options.verify == options.names_something or (options.verify and options.erase):
        msg = "name something by --texts, --urls or --ids; or look again by --verify alone"
        raise click.UsageError(msg)
    raise SystemExit(takedown_.run(open_lineage(recipe), options))


@main.command()
@click.argument("recipe")
@click.argument("other")
@click.option(
    "-n", "samples", type=click.IntRange(0, 1000), default=2, show_default=True,
    help="Documents of each kind of move to show.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(recipe: str, other: str, samples: int, as_json: bool) -> None:
    """Show of which documents RECIPE and OTHER think differently: how many, by both verdicts, with samples.

    Both must have planned the same files, as two recipes over one root have; nothing is computed. Two manifests
    (ROOT/releases/NAME/manifest.json, older ones at ROOT/release/*.json) are compared by what they ship.

    Exit codes: 0, 1 when there is nothing current to compare, 2 for a wrong call or recipe.
    """
    from curation_dagster.commands import diff as diff_
    from curation_dagster.commands import diff_releases

    if diff_releases.is_manifest(recipe) != diff_releases.is_manifest(other):
        raise click.UsageError("compare two recipes, or two manifests (.json)")
    if diff_releases.is_manifest(recipe):
        before, after = diff_releases.read(recipe), diff_releases.read(other)
        diff_releases.show(diff_releases.compare(before, after, samples), as_json=as_json)
        return
    diff_.show(diff_.compare(open_lineage(recipe), open_lineage(other), samples), as_json=as_json)


@main.command()
@click.argument("doc_id")
@click.option(
    "--recipe", help="Whose story to tell; default: the one in recipes/ that has the document."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(doc_id: str, recipe: str | None, as_json: bool) -> None:
    """Tell the story of one document, from its url to its shard or to the rule that rejected it.

    Prints every stage's row for it, in order, with the value and the threshold that decided.

    Exit codes: 0, or 2 when no planned shard holds such a document.
    """
    from curation_dagster.commands import explain as explain_

    lineage = open_lineage(recipe) if recipe else find_lineage(doc_id)
    story = explain_.story(lineage, doc_id)
    click.echo(
        json.dumps(story, indent=1, default=str, ensure_ascii=False)
        if as_json
        else explain_.tell(story)
    )


@main.command()
@click.argument(
    "stage", type=click.Choice(["ingest", "annotate", "clean", "dedup", "score", "decontaminate"])
)
@click.argument(
    "source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--recipe",
    help="Take the stage's settings from this recipe, which may hold only the sections the stage reads; "
    "default: normalise, English, Gopher, mask.",
)
@click.option(
    "--narrow", is_flag=True, help="Write doc_id and what the stage finds, not what came in."
)
def apply(stage: str, source: Path, target: Path, recipe: str | None, *, narrow: bool) -> None:
    """Run one STAGE on one file, without Dagster.

    IN is a WARC, WET, ARC, JSONL, Parquet, HTML or text file for ingest, else Parquet with doc_id (or id) and text.
    OUT is Parquet with the stage's columns, rejected_by among them; annotate and score add signals instead. With
    [dedup.lines], [dedup.paragraphs] or [dedup.substrings], dedup adds `cuts`, byte spans of the text, and so does
    decontaminate for benchmarks whose action is cut; the text stays whole. What came of it goes to stderr: rows, kept,
    rejected and why.
    """
    from curation_dagster.commands import apply as apply_
    from curation_dagster.recipe_file import load
    from curation_dagster.scaffold import completed

    loaded = load(find_recipe(recipe), completed) if recipe else None
    rows = apply_.apply(stage, source, target, loaded, narrow=narrow)
    click.echo(f"{target}: {counted(rows, 'row')}")


@main.command()
@click.argument("kind", type=click.Choice(["importance"]))
@click.argument("target", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--buckets",
    type=click.IntRange(2),
    default=10_000,
    show_default=True,
    help="Buckets that tokens and pairs are counted in; RedPajama-V2 has as many.",
)
@click.option(
    "--max-docs",
    type=click.IntRange(1),
    default=500_000,
    show_default=True,
    help="Documents of each file, from its beginning.",
)
def fit(kind: str, target: Path, source: Path, out: Path, buckets: int, max_docs: int) -> None:
    """Fit a model of KIND to texts and print the signal that names it, as TOML for [[score.signals]].

    importance: what tells the texts of TARGET from those of SOURCE (DSIR). Both are Parquet or JSONL (also .gz) with a
    column text; OUT is an .npz.
    """
    from curation_dagster.commands.fit import fit_importance

    fits = {"importance": fit_importance}
    for line in fits[kind](target, source, out, buckets=buckets, max_docs=max_docs):
        click.echo(line)


@main.group(cls=Listing)
def benchmarks() -> None:
    """List the benchmarks of RECIPE; or look after them.

    `curate benchmarks RECIPE` reads every file and counts items, parts and n-grams, and the items that a step cannot
    find. Items that no step can find are not looked for: --undetectable lists them.
    """


@benchmarks.command(name="list")
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--undetectable", is_flag=True, help="List the items that no step can find.")
def benchmarks_list(recipe: str, *, as_json: bool, undetectable: bool) -> None:
    """Read RECIPE's benchmarks and count what is in them; the command that `curate benchmarks RECIPE` is short for."""
    from curation_dagster.commands import benchmarks as benchmarks_
    from curation_dagster.recipe_file import load
    from curation_dagster.scaffold import completed

    config = load(find_recipe(recipe), completed).decontaminate
    if undetectable:
        found = benchmarks_.undetectable(config)
        lines = [f"{row['benchmark']}/{row['item']}" for row in found]
        click.echo(json.dumps(found) if as_json else "\n".join(lines))
        return
    rows = benchmarks_.listed(config)
    if not rows:
        click.echo(f"{recipe} names no benchmarks: [[decontaminate.benchmarks]]", err=True)
    click.echo(json.dumps(rows, indent=1) if as_json else benchmarks_.tell(rows))


@benchmarks.command(name="calibrate")
@click.argument("recipe")
@click.option(
    "--clean", type=click.Path(path_type=Path, exists=True), help="Parquet of clean text."
)
def benchmarks_calibrate(recipe: str, clean: Path | None) -> None:
    """Choose the thresholds of [decontaminate.rare_terms] for RECIPE's benchmarks, and print them as TOML.

    Those of [decontaminate.rerank] too, where the recipe names the step, with the models it names. The hardest
    negatives are an item's best other items; at most max_false_positives of them may pass, and of clean documents at
    most one in a thousand by a step. With a sentence model a thousand documents take minutes.
    """
    from curation_dagster.commands import benchmarks as benchmarks_
    from curation_dagster.recipe_file import load
    from curation_dagster.scaffold import completed

    config = load(find_recipe(recipe), completed).decontaminate
    click.echo(benchmarks_.calibrated(config, clean))


@benchmarks.command(name="common")
@click.argument("recipe")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--max-documents", type=click.IntRange(0), default=10, show_default=True,
    help="GPT-3 ignored n-grams that more documents hold.",
)  # fmt: skip
def benchmarks_common(recipe: str, source: Path, target: Path, max_documents: int) -> None:
    """Write to TARGET the n-grams of RECIPE's benchmarks that many documents of SOURCE (Parquet) hold.

    Common phrases, legal boilerplate. Name the file in [decontaminate.ngrams] ignore = { path = "TARGET" }.
    """
    from curation_dagster.commands import benchmarks as benchmarks_
    from curation_dagster.recipe_file import load
    from curation_dagster.scaffold import completed

    config = load(find_recipe(recipe), completed).decontaminate
    found = benchmarks_.common(config, source, target, max_documents)
    click.echo(f"{target}: {counted(found, 'n-gram')}")


@benchmarks.command("report")
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--examples",
    type=click.IntRange(0, 1000),
    default=2,
    show_default=True,
    help="Nearest and farthest hits to show of each benchmark.",
)
def benchmark_report(recipe: str, as_json: bool, examples: int) -> None:
    """Say how much of each benchmark the corpus of RECIPE held, before and after the decision on it.

    Items found, by method; documents dropped, cut, flagged and not in the mixture; the nearest and the farthest
    hits, most of their words hidden. Reads stored tables; of text, the documents it shows.

    Exit codes: 0, 1 when `scanned` or `decontaminated` is not current, 2 for a wrong call or recipe.
    """
    from curation_dagster.commands import benchmark_report as report_

    report_.show(report_.report(open_lineage(recipe), examples), as_json=as_json)


@benchmarks.command(name="judge")
@click.argument("recipe")
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ask about the texts of this file, as for `curate apply decontaminate`, not about the recipe's shards.",
)
def benchmarks_judge(recipe: str, source: Path | None) -> None:
    """Ask the endpoint of [decontaminate.judge] what its file of answers does not hold yet.

    Comes after `curate run RECIPE --to scanned`, which never asks; the run after it reads the answers. Ctrl-C loses no
    answer, and asking again asks only what is new. A question without an answer stays a hit. Exit code 3 while there
    are such questions.
    """
    from curation_dagster.commands import judge
    from curation_dagster.recipe_file import load
    from curation_dagster.scaffold import completed

    def say(line: str) -> None:
        click.echo(line, err=True)

    if source:
        config = load(find_recipe(recipe), completed).decontaminate
        outcome = judge.judge_file(judge.texts_of(source), config, say)
    else:
        outcome = judge.judge_shards(open_lineage(recipe), say)
    click.echo(outcome.told())
    if not outcome.complete:
        raise SystemExit(3)


@main.command()
@click.argument("name", required=False)
@click.option(
    "--import",
    "foreign",
    type=(click.Choice(["fineweb2"]), click.Path(exists=True, dir_okay=False, path_type=Path)),
    metavar="fineweb2 CONFIG.yml",
    help="Print the steps that a configuration of FineWeb2 (configs/fra_Latn.yml) stands for, as TOML.",
)
def presets(name: str | None, foreign: tuple[str, Path] | None) -> None:
    """List the shipped rule sets with their sources, or every threshold of the one called NAME."""
    from curation_dagster.commands import rule_sets

    if foreign:
        from curation_dagster.commands.fineweb2 import convert

        click.echo(convert(foreign[1]), nl=False)
    elif name:
        rule_sets.show_preset(name)
    else:
        rule_sets.list_presets()


@main.command()
@click.option("--markdown", is_flag=True, help="Write docs/signals.md.")
def signals(markdown: bool) -> None:
    """List every signal: name, type, definition, source, and the presets that have a threshold on it."""
    from curation_dagster.commands import rule_sets

    if markdown:
        click.echo(rule_sets.markdown(), nl=False)
    else:
        rule_sets.print_signals()


@main.command()
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Those of all published rule sets too (about three minutes).",
)
def warmup(every: bool) -> None:
    """Compile the kernels of a usual recipe once, so that the first run does not; `make setup` does it."""
    import tempfile

    from curation_dagster.commands.warmup import warmup as warmup_

    with tempfile.TemporaryDirectory() as folder:
        click.echo(f"kernels compiled and cached in {warmup_(Path(folder), every=every):.1f} s")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, help="Port to listen on.")
@click.option(
    "--read-only", is_flag=True, help="Pages to look at: nothing can be launched; no daemon."
)
@click.option(
    "--without-login", is_flag=True, help="Listen on an address that others reach, knowing that the pages ask nobody."
)  # fmt: skip
def ui(host: str, port: int, read_only: bool, without_login: bool) -> None:
    """Open the Dagster UI on loopback, with the run history, lineage, checks and metadata of every recipe.

    An address that others may reach is refused: the pages have no login and launch code.
    """
    from curation_dagster.commands import ui as ui_

    if not without_login:
        ui_.refuse(host, read_only=read_only)
    ui_.serve(host, port, read_only=read_only)


if __name__ == "__main__":
    main()
