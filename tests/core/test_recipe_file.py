"""Reading recipes: every error names file, line and key, before anything else is touched."""

from __future__ import annotations

import hashlib
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any, get_args

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from curation_dagster.errors import RecipeError
from curation_dagster.recipe import Recipe
from curation_dagster.recipe_file import content, digest, load, presets
from curation_dagster.recipe_judges import GopherQuality, GopherRepetition
from curation_dagster.recipe_rule_sets import Zyda
from curation_dagster.toml_lines import line_of, lines_of

ROOT = Path(__file__).parents[2]
# A case replaces one piece of the small recipe; `# <-` marks the line the error must name.
PROBLEMS = [
    pytest.param(
        'root = "store"', 'root = "store"\nrot = 1 # <-', "rot", "Extra", id="unknown key"
    ),
    pytest.param("seed = 1", "seed = 1\nSeed = 2 # <-", "mix.Seed", "Extra", id="key in capitals"),
    pytest.param("[mix]", "[mixx] # <-\n[mix]", "mixx", "Extra", id="unknown table"),
    pytest.param(
        "[mix]", "[dedup]\nbands = 0 # <-\n[mix]", "dedup.bands", "found 0", id="bad value"
    ),
    pytest.param(
        "[mix]",
        "[dedup] # <-\nthreshold = 0.8\nrows = 7\n[mix]",
        "dedup",
        "threshold chooses bands and rows",
        id="two ways to bands",
    ),
    pytest.param(
        "[mix]",
        "[dedup]\nmax_removed = { nowhere = 0.5 } # <-\n[mix]",
        "dedup.max_removed.nowhere",
        "no such source: nowhere",
        id="a band for a source there is not",
    ),
    pytest.param(
        "[mix]",
        "[automation]\nmax_age_days = { nowhere = 2 } # <-\n[mix]",
        "automation.max_age_days.nowhere",
        "no such source: nowhere",
        id="an age for a source there is not",
    ),
    pytest.param(
        "[mix]",
        "[gates]\nmax_past_shards = 3 # <-\n[mix]",
        "gates.max_past_shards",
        "is below min_past_shards, 5: nothing could be compared",
        id="a past too short to compare with",
    ),
    pytest.param(
        "[mix]",
        "[gates]\nlicenses = [1] # <-\n[mix]",
        "gates.licenses.0",
        "should be a valid string",
        id="a licence that is no text",
    ),
    pytest.param(
        "seed = 1",
        'seed = 1\ncluster_weights = "inverse" # <-',
        "mix.cluster_weights",
        "is for all documents of a cluster; it needs dedup.remove = false",
        id="weights for what is removed",
    ),
    pytest.param(
        "seed = 1",
        "seed = 1\ncluster_weights = { 2 = 101 } # <-",
        "mix.cluster_weights.2",
        "less than or equal to 100",
        id="a weight too large",
    ),
    pytest.param(
        "seed = 1",
        "seed = 1\ncluster_weights = { 0 = 1 } # <-",
        "mix.cluster_weights.0",
        "should match pattern",
        id="weights of a cluster size there is not",
    ),
    pytest.param("[mix]", "dedup = 5 # <-\n[mix]", "steps.1.dedup", "Extra", id="in a wrong table"),
    pytest.param(
        'languages = ["en"]',
        'languages = [\n  "en",\n]\nmin_prob = 2 # <-',
        "steps.1.min_prob",
        "found 2",
        id="after a value of several lines",
    ),
    pytest.param(
        'judge = "language"', 'judge = "langage" # <-', "steps.1.judge", "langage", id="judge"
    ),
    pytest.param('edit = "normalize"', 'edit = "mangle" # <-', "steps.0.edit", "mangle", id="edit"),
    pytest.param(
        '[[steps]]\nedit = "normalize"', "[[steps]] # <-", "steps.0.judge", "judge", id="empty step"
    ),
    pytest.param(
        '[[steps]]\njudge = "language"\nlanguages = ["en"]',
        '[[steps]] # <-\njudge = "language"',
        "steps.1.languages",
        "required",
        id="missing key",
    ),
    pytest.param(
        "[mix]",
        '[[score.signals]]\nkind = "fasttext"\nname = "quality" # <-\nmodel = { path = "r.toml" }\n[mix]',
        "score.signals.0.name",
        "has a column quality already",
        id="a signal called like a column",
    ),
    pytest.param(
        "tokens = 1000",
        "tokens = 1000\nmin_scores = { books = 0.0 } # <-",
        "mix.phases.0.min_scores.books",
        "no such signal in [[score.signals]]: books; there are []",
        id="a floor on a signal nothing scores",
    ),
    pytest.param(
        "[mix]",
        '[[score.signals]]\nkind = "kenlm" # <-\nname = "p"\nmodel = { path = "r.toml" }\n[mix]',
        "score.signals.0.kind",
        "fasttext",
        id="a kind of model there is not",
    ),
    pytest.param(
        "tokens = 1000", 'tokens = "many" # <-', "mix.phases.0.tokens", "'many'", id="bad type"
    ),
    pytest.param(
        "[mix]",
        '[ingest]\ncomments = "yes" # <-\n[mix]',
        "ingest.comments",
        "valid boolean, found 'yes'",
        id="text as a truth value",
    ),
    pytest.param(
        "[mix]",
        "[ingest]\ncomments = 1 # <-\n[mix]",
        "ingest.comments",
        "valid boolean, found 1",
        id="a number as a truth value",
    ),
    pytest.param(
        'languages = ["en"]',
        'languages = ["en"]\nmin_prob = "0.5" # <-',
        "steps.1.min_prob",
        "valid number, found '0.5'",
        id="text as a number",
    ),
    pytest.param(
        "[mix]",
        '[score.classifier]\nlr = true # <-\ngood.shards = ["web-00000"]\nordinary.shards = ["web-00000"]\n[mix]',
        "score.classifier.lr",
        "valid number, found True",
        id="a truth value as a number",
    ),
    pytest.param(
        "[mix]",
        '[dedup]\nbands = "14" # <-\n[mix]',
        "dedup.bands",
        "valid integer, found '14'",
        id="text as a whole number",
    ),
    pytest.param(
        "[mix]",
        "[dedup]\nthreshold = true # <-\n[mix]",
        "dedup.threshold",
        "valid number, found True",
        id="a truth value where there may be none",
    ),
    pytest.param(
        "weights = { web = 1 }",
        'weights = { web = "1" } # <-',
        "mix.phases.0.weights.web",
        "valid number, found '1'",
        id="text in a table of numbers",
    ),
    pytest.param(
        "weights = { web = 1 }",
        "weights = { web = 0 } # <-",
        "mix.phases.0.weights",
        "zero",
        id="weights",
    ),
    pytest.param(
        "{ web = 1 }",
        "{ web = 1, wbe = 1 } # <-",
        "mix.phases.0.weights.wbe",
        "no such source: wbe",
        id="weights of an unknown source",
    ),
    pytest.param(
        "[mix]",
        '[dedup]\nsource_priority = ["web", "wbe"] # <-\n[mix]',
        "dedup.source_priority.1",
        "no such source: wbe",
        id="priority of an unknown source",
    ),
    pytest.param(
        "tokens = 1000",
        "tokens = 1000\nmin_quality = 0.5 # <-",
        "mix.phases.0.min_quality",
        "score.classifier",
        id="min_quality without classifier",
    ),
    pytest.param(
        "[mix]",
        '[[sources]]\npaths = ["x"]\nname = "web" # <-\n[mix]',
        "sources.1.name",
        "source named twice: web",
        id="source twice",
    ),
    pytest.param(
        "[mix]",
        '[[steps]]\njudge = "language" # <-\nlanguages = ["de"]\n[mix]',
        "steps.2.judge",
        "judge named twice: language",
        id="judge twice",
    ),
    pytest.param(
        "weights = { web = 1 }",
        'weights = { web = 1 }\n[[mix.phases]]\ntokens = 1\nweights = { web = 1 }\nname = "main" # <-',
        "mix.phases.1.name",
        "phase named twice: main",
        id="phase twice",
    ),
    pytest.param(
        "[mix]",
        "[[decontaminate.benchmarks]]\nname='b'\nfile = { path = 'r.toml' }\n"
        "[[decontaminate.benchmarks]]\nfile.path = 'r.toml'\nname = 'b' # <-\n[mix]",
        "decontaminate.benchmarks.1.name",
        "benchmark named twice: b",
        id="benchmark twice",
    ),
    pytest.param(
        'edit = "normalize"',
        'preset = "gopher-1999" # <-',
        "steps.0.preset",
        "gopher-2021",
        id="unknown preset",
    ),
    pytest.param(
        'edit = "normalize"', "preset = [1] # <-", "steps.0.preset", "[1]", id="preset of a list"
    ),
    pytest.param(
        'edit = "normalize"',
        'preset = "gopher-2021"\n[steps.gopher_qualty] # <-\nmin_words = 5',
        "steps.0.gopher_qualty",
        "gopher_quality",
        id="override of an unknown judge",
    ),
    pytest.param(
        'edit = "normalize"',
        'preset = "gopher-2021"\ngopher_quality = 5 # <-',
        "steps.0.gopher_quality",
        "5",
        id="override is no table",
    ),
    pytest.param(
        'edit = "normalize"',
        'preset = "gopher-2021"\n[steps.gopher_quality]\nmin_wrds = 5 # <-',
        "steps.0.gopher_quality.min_wrds",
        "Extra",
        id="override of an unknown field",
    ),
    pytest.param(
        'languages = ["en"]',
        'languages = []# <-\n[[steps]]\npreset = "gopher-2021"',
        "steps.1.languages",
        "at least 1",
        id="before a preset",
    ),
    pytest.param(
        '[[steps]]\nedit = "normalize"\n\n[[steps]]\njudge = "language"\nlanguages = ["en"]',
        '[[steps]]\npreset = "gopher-2021"\n\n[[steps]]\njudge = "language"\nlanguages = [1] # <-',
        "steps.1.languages.0",
        "found 1",
        id="after a preset",
    ),
    pytest.param(
        'languages = ["en"]',
        'languages = ["en"]\nmodel = { path = "gone.ftz" } # <-',
        "steps.1.model.path",
        "gone.ftz",
        id="missing file",
    ),
    pytest.param(
        'languages = ["en"]',
        f'languages = ["en"]\n[steps.model]\npath = "r.toml"\nsha256 = "{"0" * 64}" # <-',
        "steps.1.model.sha256",
        "expected 0000",
        id="wrong sha256",
    ),
    pytest.param(
        "[mix]",
        '[score]\ntokenizer = { path = "gone.json" } # <-\n[mix]',
        "score.tokenizer.path",
        "gone.json",
        id="missing tokenizer",
    ),
    pytest.param(
        "[mix]",
        '[score.classifier]\ngood.files = [{ path = "r.toml" }, { path = "gone" }] # <-\n'
        'ordinary.shards = ["web-00000"]\n[mix]',
        "score.classifier.good.files.1.path",
        "gone",
        id="missing training file",
    ),
    pytest.param("seed = 1", "seed = # <-", None, "not valid TOML", id="bad TOML"),
    pytest.param(
        '[[sources]]\nname = "web"\npaths = ["in/*.jsonl"]',
        "",
        "sources",
        "required",
        id="no source",
    ),
]


def small(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "r.toml"
    path.write_text(text, "utf-8")
    return path


def raw_of(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(mode="json")


def test_numbers_may_be_written_either_way(recipe_text: str, tmp_path: Path) -> None:
    text = recipe_text.replace("tokens = 1000", "tokens = 1e3\nmax_epochs = 2")
    [phase] = load(small(tmp_path, text)).mix.phases
    assert (phase.tokens, phase.max_epochs) == (1000, 2.0)


@pytest.mark.parametrize(("old", "new", "key", "says"), PROBLEMS)
def test_problem(
    old: str,
    new: str,
    key: str | None,
    says: str,
    recipe_text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_storage(*_: object, **__: object) -> None:
        pytest.fail("a file system was opened")

    monkeypatch.setattr(fsspec, "filesystem", no_storage)
    assert old in recipe_text
    text = recipe_text.replace(old, new, 1)
    path = small(tmp_path, text)
    marked = [n for n, line in enumerate(text.split("\n"), 1) if line.endswith("# <-")]
    with pytest.raises(RecipeError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    if key is None:
        assert f"line {marked[0]}," in message
    else:
        problems = re.findall(r"^  (?:line (\d+): )?([^:\s]+): ", message, re.MULTILINE)
        assert problems == [(str(marked[0]) if marked else "", key)]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda p: None, "no such recipe", id="missing"),  # noqa: ARG005
        pytest.param(lambda p: p.mkdir(), "cannot be read", id="folder"),
        pytest.param(lambda p: p.write_bytes(b"root = '\xff'"), "not UTF-8 at byte 8", id="bytes"),
        pytest.param(lambda p: p.write_text("steps = 5"), "line 1: steps", id="steps"),
        pytest.param(lambda p: p.write_text("sources = 5"), "line 1: sources", id="sources"),
        pytest.param(lambda p: p.write_text(""), "root: Field required", id="empty"),
    ],
)
def test_unreadable(make: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    make(path)
    with pytest.raises(RecipeError, match=re.escape(says)) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_every_problem_is_listed(recipe_text: str, tmp_path: Path) -> None:
    text = recipe_text.replace("tokens = 1000", "tokens = 0").replace("seed = 1", "seed = -1")
    with pytest.raises(RecipeError, match=r"2 problems\n  line 19: mix.*\n  line 15: mix\.seed"):
        load(small(tmp_path, text))


@pytest.mark.parametrize("judge", ["c4", "refinedweb", "redstone"])
def test_a_bound_on_what_an_edit_notes_needs_the_edit_before_it(
    recipe_text: str, tmp_path: Path, judge: str
) -> None:
    step = f'judge = "{judge}"'
    edit = {"c4": "c4_lines", "refinedweb": "refinedweb_lines", "redstone": "redstone_sentences"}[
        judge
    ]
    text = recipe_text.replace('edit = "normalize"', step)
    with pytest.raises(RecipeError, match=f'needs the step edit = "{edit}" before it'):
        load(small(tmp_path, text))
    behind = text.replace(step, f'{step}\n[[steps]]\nedit = "{edit}"')
    with pytest.raises(RecipeError, match="before it"):
        load(small(tmp_path, behind))
    load(small(tmp_path, text.replace(step, f'edit = "{edit}"\n[[steps]]\n{step}')))


def test_preset_is_its_steps_with_single_fields_overridden(
    recipe_text: str, tmp_path: Path
) -> None:
    new = 'preset = "gopher-2021"\n[steps.gopher_quality]\nmin_words = 5'
    recipe = load(small(tmp_path, recipe_text.replace('edit = "normalize"', new)))
    assert recipe.steps[:2] == (
        GopherQuality(judge="gopher_quality", min_words=5),
        GopherRepetition(judge="gopher_repetition"),
    )
    assert presets()["gopher-2021"]["steps"][0]["min_words"] == 50


def test_a_list_makes_a_rule_of_a_preset_possible(recipe_text: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    new = 'preset = "zyda"\n[steps.zyda]\nmax_sexual_words = 10'
    without = small(tmp_path, recipe_text.replace('edit = "normalize"', new))
    with pytest.raises(RecipeError, match=r"steps\.0\.zyda: .*needs the list sexual_words"):
        load(without)
    given = new + '\nsexual_words = { path = "words.txt" }'
    step = load(small(tmp_path, recipe_text.replace('edit = "normalize"', given))).steps[0]
    assert isinstance(step, Zyda)
    assert step.max_sexual_words == 10
    assert step.sexual_words is not None
    assert step.sexual_words.path == tmp_path / "words.txt"


def test_paths_are_relative_to_the_recipe(
    recipe_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "lid.ftz").write_bytes(b"model")
    text = recipe_text.replace('["in/*.jsonl"]', '["in/*.jsonl", "s3://b/x*", "/abs/y"]')
    text = text.replace('languages = ["en"]', 'languages = ["en"]\nmodel.path = "lid.ftz"')
    small(folder, text)
    monkeypatch.chdir(tmp_path / "a")
    recipe = load((tmp_path / "a").relative_to(tmp_path / "a") / "b" / "r.toml")
    assert recipe.root == str(folder / "store")
    assert recipe.sources[0].paths == (str(folder / "in/*.jsonl"), "s3://b/x*", "/abs/y")
    assert recipe.steps[1].model.path == folder / "lid.ftz"
    assert recipe.name == "r"
    url = text.replace('"store"', '"s3://b/p"')
    assert load(small(folder, url)).root == "s3://b/p"


def with_file(recipe_text: str) -> str:
    pin = hashlib.sha256(b"model").hexdigest()
    return recipe_text.replace(
        'languages = ["en"]', f'languages = ["en"]\nmodel = {{ path = "m", sha256 = "{pin}" }}'
    )


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        pytest.param(
            'root = "store"', 'root = "s3://b"\nendpoint_url = "http://x"', True, id="root"
        ),
        pytest.param('root = "store"', 'root = "store"\nworkers = 7', True, id="workers"),
        pytest.param('root = "store"', 'root = "store"\nengine = "ray"', True, id="engine"),
        pytest.param("in/*.jsonl", "elsewhere/*.jsonl", True, id="place of the inputs"),
        pytest.param('root = "store"', 'root = "store" # so', True, id="comment"),
        pytest.param("seed = 1", "seed = 2", False, id="seed"),
        pytest.param("edit", "judge = 'gopher_quality'\n[[steps]]\nedit", False, id="step"),
        pytest.param('root = "store"', 'root = "store"\nname = "s"', False, id="name"),
        pytest.param("{ web = 1 }", "{ web = 2 }", False, id="weight"),
        pytest.param('name = "web"', 'name = "web"\nlicense = "MIT"', False, id="licence"),
    ],
)
def test_digest(old: str, new: str, same: bool, recipe_text: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"model")
    before = digest(load(small(tmp_path, with_file(recipe_text))))
    after = digest(load(small(tmp_path, with_file(recipe_text).replace(old, new, 1))))
    assert (before == after) is same


def test_digest_follows_a_file_not_its_place(recipe_text: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "m").write_bytes(b"model")
    unpinned = re.sub(r', sha256 = "\w+"', "", with_file(recipe_text))
    one = load(small(here, unpinned))
    shutil.copytree(here, there)
    other = load(there / "r.toml")
    assert digest(one) == digest(other)
    assert content(one.steps[1])["model"] == hashlib.sha256(b"model").hexdigest()
    (there / "m").write_bytes(b"other model")
    assert digest(other) != digest(one)


def test_digest_is_the_same_everywhere(recipe: Recipe) -> None:
    assert digest(recipe) == digest(Recipe.model_validate(raw_of(recipe)))
    assert re.fullmatch("[0-9a-f]{12}", digest(recipe))


KEYS = st.sampled_from(["a", "b", '"c d"', "'e.f'", "g.h"])
HEADERS = st.sampled_from(["", "[t]", "[[u]]", "[[u.v]]", "[u.w]"])
VALUES = st.sampled_from(
    ["N", '"N"', "[\n 1, # ]\n N ]", '"""\nz = 1\n[t]\nN"""', "'''\nN'''", "{ k = N, l.m = [[N]] }"]
)


@settings(deadline=None)
@given(st.lists(st.tuples(HEADERS, KEYS, VALUES), max_size=8))
def test_every_value_has_the_line_of_its_statement(said: list[tuple[str, str, str]]) -> None:
    text, line_of_number = "", {}
    for i, (header, key, value) in enumerate(said):
        text += f"{header}\n\n"
        line_of_number[str(1000 + i)] = text.count("\n") + 1
        text += f"{key} = {value.replace('N', str(1000 + i))}\n"
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a key or a table twice
        return
    lines = lines_of(text)

    def check(node: Any, path: tuple[str | int, ...]) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(value, dict | list):
                check(value, (*path, key))
            elif number := re.search(r"1\d\d\d$", str(value)):
                assert lines[*path, key] == line_of_number[number[0]]

    check(parsed, ())
    assert line_of(lines, ("nowhere", 1)) is None


TEMPLATE = ROOT / "curation_dagster" / "presets" / "recipe.toml.template"


def _fields(section: type[BaseModel]) -> set[str]:
    """Name the fields of a section and of those in it; steps and file formats are listed elsewhere."""
    found: set[str] = set()
    for name, field in section.model_fields.items():
        found.add(name)
        for kind in [field.annotation, *get_args(field.annotation)]:
            for inner in [kind, *get_args(kind)]:
                if isinstance(inner, type) and issubclass(inner, BaseModel) and name != "steps":
                    found |= _fields(inner)
    return found


def test_the_template_names_every_field() -> None:
    text = TEMPLATE.read_text("utf-8")
    assert {f for f in _fields(Recipe) if not re.search(rf"\b{f}\b", text)} == set()


def test_the_complete_recipe_is_the_template() -> None:
    """Both explain every field; apart from head and names they are one text."""
    text = TEMPLATE.read_text("utf-8")
    for key, value in {
        "@NAME@": "crawl", "@ROOT@": "../data/store", "@PATHS@": '"../data/crawl/*.warc.gz"',
    }.items():  # fmt: skip
        text = text.replace(key, value)
    complete = (ROOT / "recipes" / "web.toml").read_text("utf-8")
    assert complete.partition("root = ")[2] == text.partition("root = ")[2]
