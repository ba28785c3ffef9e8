"""Plans: shards that never change, new files in new ones, races, refusals; on disk and on S3."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster import plan
from curation_dagster.errors import IntegrityError, RecipeError, StorageError
from curation_dagster.recipe import Recipe, Source
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.conftest import S3


def with_sources(recipe: Recipe, *sources: Source) -> Recipe:
    return recipe.model_copy(update={"sources": sources})


def keys(shards: list[plan.Shard]) -> list[tuple[str, int, list[str]]]:
    return [(s.key, s.generation, [i.path for i in s.inputs]) for s in shards]


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Store, Callable[..., None]]:
    """Give a folder of inputs, a root and a way to write inputs, on disk and on S3."""
    if request.param == "local":
        store = Store(str(tmp_path / "root"))
        folder = str(tmp_path / "in")
    else:
        store = request.getfixturevalue("s3_store")
        folder = store.root.replace("/some/root", "/in")

    def write(name: str, content: bytes) -> None:
        path = f"{folder}/{name}"
        if store.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(content)
        else:  # another client, so that no cache of ours hears of it
            store.fs.call_s3(
                "put_object", Bucket=path.split("/")[2], Key=path.split("/", 3)[3], Body=content
            )

    return folder, store, write


def source_in(
    folder: str, *, name: str = "web", pattern: str = "*.jsonl", size: int = 10
) -> Source:
    return Source(name=name, paths=(f"{folder}/{pattern}",), shard_bytes=size)


def test_shards_never_change_and_new_files_make_new_ones(
    place: tuple[str, Store, Callable[..., None]], recipe: Recipe
) -> None:
    folder, store, write = place
    for name, size in [("b", 4), ("a", 4), ("c", 4), ("big", 30), ("d", 10)]:
        write(f"{name}.jsonl", name[:1].encode() * size)
    write("x.txt", b"other")
    recipe = with_sources(recipe, source_in(folder))
    first = plan.plan(recipe, store)
    assert keys(first) == [
        ("web-00000", 0, ["a.jsonl", "b.jsonl"]),
        ("web-00001", 0, ["big.jsonl"]),
        ("web-00002", 0, ["c.jsonl"]),
        ("web-00003", 0, ["d.jsonl"]),
    ]
    assert [s.bytes for s in first] == [8, 30, 4, 10]
    said = {n: store.read(f"plan/web/{n}") for n in store.names("plan/web")}
    assert plan.plan(recipe, store) == []
    write("a0.jsonl", b"new")
    second = plan.plan(with_sources(recipe, source_in(folder, size=1000)), store)
    assert keys(second) == [("web-00004", 1, ["a0.jsonl"])]
    assert plan.shards(recipe, store) == [*first, *second]
    assert {n: store.read(f"plan/web/{n}") for n in said} == said


def test_shards_are_ordered_by_generation_source_and_number(
    place: tuple[str, Store, Callable[..., None]], recipe: Recipe
) -> None:
    folder, store, write = place
    sources = [source_in(f"{folder}/{n}", name=n, size=1) for n in ("z", "a")]
    for name in ("z/1.jsonl", "z/2.jsonl", "a/1.jsonl"):
        write(name, b"x")
    plan.plan(with_sources(recipe, *sources), store)
    write("a/0.jsonl", b"x")
    plan.plan(with_sources(recipe, *sources), store)
    wanted = ["a-00000", "z-00000", "z-00001", "a-00001"]
    assert [s.key for s in plan.shards(with_sources(recipe, *sources), store)] == wanted
    alone = with_sources(recipe, sources[0])
    assert [s.key for s in plan.shards(alone, store)] == wanted[1:3]


def test_a_planned_file_of_another_size_is_refused(
    place: tuple[str, Store, Callable[..., None]], recipe: Recipe
) -> None:
    folder, store, write = place
    recipe = with_sources(recipe, source_in(folder))
    write("a.jsonl", b"four")
    (shard,) = plan.plan(recipe, store)
    write("a.jsonl", b"fiver")
    write("b.jsonl", b"new")
    with pytest.raises(IntegrityError, match=rf"{folder}/a.jsonl changed.*4 bytes, found 5"):
        plan.plan(recipe, store)
    assert plan.shards(recipe, store) == [shard]


def test_other_content_of_the_same_size_is_refused_when_opened(
    place: tuple[str, Store, Callable[..., None]], recipe: Recipe
) -> None:
    folder, store, write = place
    recipe = with_sources(recipe, source_in(folder))
    write("a.jsonl", b"four")
    (shard,) = plan.plan(recipe, store)
    with plan.open_input(shard.inputs[0], store.endpoint_url) as stream:
        assert stream.read() == b"four"
    write("a.jsonl", b"FOUR")
    assert plan.plan(recipe, store) == []
    with pytest.raises(IntegrityError, match=rf"{folder}/a.jsonl: changed after planning"):
        plan.open_input(shard.inputs[0], store.endpoint_url)


def test_a_planned_file_that_is_gone_is_an_error_of_ours(
    place: tuple[str, Store, Callable[..., None]], recipe: Recipe
) -> None:
    folder, store, write = place
    write("a.jsonl", b"four")
    (shard,) = plan.plan(with_sources(recipe, source_in(folder)), store)
    store.fs.rm(f"{folder}/a.jsonl")
    with pytest.raises(IntegrityError, match=rf"{folder}/a.jsonl: gone"):
        plan.open_input(shard.inputs[0], store.endpoint_url)


@pytest.mark.parametrize(
    "paths", [("*.jsonl",), ("x.jsonl",), ("here.txt", "*.jsonl"), ("nowhere/*.txt",), ("sub",)]
)
def test_a_pattern_that_matches_no_file_is_refused(
    paths: tuple[str, ...], place: tuple[str, Store, Callable[..., None]], recipe: Recipe
) -> None:
    folder, store, write = place
    write("here.txt", b"x")
    write("sub/y.txt", b"x")
    source = Source(name="web", paths=tuple(f"{folder}/{p}" for p in paths))
    with pytest.raises(RecipeError, match=rf"'web': no file matches .*{paths[-1][:3].strip('*')}"):
        plan.plan(with_sources(recipe, source), store)
    assert plan.shards(with_sources(recipe, source), store) == []


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"shard_bytes": 99}, True, id="shard_bytes"),
        pytest.param({"text_field": "body"}, False, id="text_field"),
        pytest.param({"license": "MIT"}, False, id="license"),
        pytest.param({"paths": ("{folder}/*l",)}, False, id="paths"),
    ],
)
def test_a_source_has_one_definition_in_a_root(
    change: dict[str, object], same: bool, recipe: Recipe, tmp_path: Path
) -> None:
    store, source = Store(str(tmp_path / "root")), source_in(str(tmp_path / "in"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(b"x")
    plan.plan(with_sources(recipe, source), store)
    if "paths" in change:
        change = {"paths": (f"{tmp_path}/in/*l",)}
    other = with_sources(recipe, source.model_copy(update=change))
    if same:
        assert plan.plan(other, store) == []
    else:
        with pytest.raises(RecipeError, match=rf"'web' is known to .*{next(iter(change))}"):
            plan.plan(other, store)


def inputs_of(shards: list[plan.Shard]) -> list[str]:
    return sorted(i.path for s in shards for i in s.inputs)


@pytest.mark.parametrize("step", range(7))
def test_an_interrupted_plan_is_finished_as_it_was(
    step: int, place: tuple[str, Store, Callable[..., None]], recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Every file of a plan is of one generation, wherever its planner was killed: else it decides who is kept."""
    folder, store, write = place
    sources = [source_in(f"{folder}/{n}", name=n, size=1) for n in ("a", "b")]
    both = with_sources(recipe, *sources)
    for name in ("a/1.jsonl", "a/2.jsonl", "b/1.jsonl"):
        write(name, b"x")
    real, left = Store.create, [step]

    def create(self: Store, name: str, content: bytes) -> bool:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(self, name, content)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(Store, "create", create)
        plan.plan(both, store)
    write("a/0.jsonl", b"x")
    plan.plan(both, store)
    found = [(s.key, s.generation) for s in plan.shards(both, store)]
    if step > 2:  # it was written down: two definitions, then the draft
        wanted = [("a-00000", 0), ("a-00001", 0), ("b-00000", 0), ("a-00002", 1)]
    else:
        wanted = [("a-00000", 0), ("a-00001", 0), ("a-00002", 0), ("b-00000", 0)]
    assert found == wanted
    assert plan.unfinished(store) == []


@pytest.mark.parametrize("sizes", [(10, 10, 10, 10), (1, 25, 7, 100)])
def test_racing_threads_plan_every_input_once(
    sizes: tuple[int, ...], place: tuple[str, Store, Callable[..., None]], recipe: Recipe
) -> None:
    folder, store, write = place
    names = [f"{i:02d}.jsonl" for i in range(12)]
    for name in names:
        write(name, b"x" * 5)
    barrier = threading.Barrier(len(sizes))

    def race(size: int) -> list[plan.Shard]:
        barrier.wait()
        return plan.plan(with_sources(recipe, source_in(folder, size=size)), store)

    with ThreadPoolExecutor(len(sizes)) as pool:
        made = list(pool.map(race, sizes))
    every = plan.shards(with_sources(recipe, source_in(folder)), store)
    assert inputs_of(every) == names
    assert sorted(s.key for shards in made for s in shards) == [s.key for s in every]
    assert [s.number for s in every] == list(range(len(every)))


RACER = """
import sys
from pathlib import Path
from curation_dagster import plan
from curation_dagster.recipe_file import load
from curation_dagster.store import Store
recipe = load(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(len(plan.plan(recipe, Store(recipe.root))))
"""


def test_racing_processes_plan_every_input_once(recipe_text: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = [f"{i:02d}.jsonl" for i in range(40)]
    for name in names:
        (tmp_path / "in" / name).write_bytes(b"x" * 5)
    path = tmp_path / "r.toml"
    path.write_text(recipe_text.replace('name = "web"', 'name = "web"\nshard_bytes = 5'), "utf-8")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("\n")
        racer.stdin.flush()
    made = [int(racer.communicate()[0]) for racer in racers]
    every = plan.shards(load(path), Store(load(path).root))
    assert inputs_of(every) == names
    assert sum(made) == len(every) == 40


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(("in/*.jsonl",), id="glob"),
        pytest.param(("in/a.jsonl", "in/b.jsonl"), id="files"),
        pytest.param(("../{here}/in/*.jsonl",), id="up and down"),
        pytest.param(("in/**/*.jsonl", "in/a.jsonl"), id="overlapping"),
        pytest.param(("file://{folder}/in/*.jsonl",), id="file url"),
    ],
)
def test_doc_ids_do_not_depend_on_the_folder(
    paths: tuple[str, ...], recipe_text: str, tmp_path: Path
) -> None:
    prefixes, said = [], []
    for here in ("one", "two"):
        folder = tmp_path / here
        (folder / "in").mkdir(parents=True)
        for name in ("a", "b"):
            (folder / "in" / f"{name}.jsonl").write_text(name)
        named = [p.format(here=here, folder=folder) for p in paths]
        path = folder / "r.toml"
        path.write_text(recipe_text.replace('["in/*.jsonl"]', json.dumps(named)), "utf-8")
        recipe = load(path)
        inputs = [i for s in plan.plan(recipe, Store(recipe.root)) for i in s.inputs]
        assert [i.path for i in inputs] == ["a.jsonl", "b.jsonl"]
        with plan.open_input(inputs[0]) as stream:
            assert stream.read() == b"a"
        prefixes.append([plan.doc_prefix("web", i.path) for i in inputs])
        said.append([i.said for i in inputs])
    assert prefixes[0] == prefixes[1]
    assert said[0] == said[1]
    assert len(set(prefixes[0])) == 2


def test_a_project_may_be_moved_as_a_whole(recipe_text: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "in").mkdir(parents=True)
    (one / "in" / "a.jsonl").write_text("a")
    (one / "r.toml").write_text(recipe_text)
    (shard,) = plan.plan(load(one / "r.toml"), Store(str(one / "store")))
    one.rename(two)
    store = Store(str(two / "store"))
    assert plan.plan(load(two / "r.toml"), store) == []
    (moved,) = plan.shards(load(two / "r.toml"), store)
    assert [i.said for i in moved.inputs] == [i.said for i in shard.inputs]
    with plan.open_input(moved.inputs[0]) as stream:
        assert stream.read() == b"a"


def test_doc_ids_differ_between_sources_and_paths() -> None:
    named = [("a", "b"), ("a", "c"), ("b", "b"), ("ab", ""), ("", "ab"), ("a", "b\0")]
    assert len({plan.doc_prefix(*pair) for pair in named}) == len(named)


def test_two_folders_keep_their_own_names(recipe: Recipe, tmp_path: Path) -> None:
    for name in ("x/d/1.jsonl", "y/d/1.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    source = Source(name="web", paths=(f"{tmp_path}/x/*/*.jsonl", f"{tmp_path}/y/d/*.jsonl"))
    (shard,) = plan.plan(with_sources(recipe, source), Store(str(tmp_path / "root")))
    assert [i.path for i in shard.inputs] == ["x/d/1.jsonl", "y/d/1.jsonl"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 40))
def test_groups_hold_every_file_in_order_and_are_full(sizes: list[int], room: int) -> None:
    entries = [(str(i), "", size, None) for i, size in enumerate(sizes)]
    groups = plan._grouped(entries, room)
    assert [e for g in groups for e in g] == entries
    assert all(groups)
    for group, following in pairwise(groups):
        held = sum(e[2] for e in group)
        assert len(group) == 1 or held <= room
        assert held + following[0][2] > room


def test_inputs_on_s3_are_looked_at_anew(s3: S3, recipe: Recipe, tmp_path: Path) -> None:
    """With a local root nothing else makes the client of the inputs forget what it listed."""
    store = Store(str(tmp_path / "root"), s3.url)
    recipe = with_sources(recipe, source_in(f"{s3.bucket('inputs')}/in"))

    def write(name: str, content: bytes) -> None:
        s3.fs.call_s3("put_object", Bucket="inputs", Key=f"in/{name}", Body=content)

    write("a.jsonl", b"four")
    (shard,) = plan.plan(recipe, store)
    s3.fs.ls("inputs/in", detail=True)
    write("b.jsonl", b"more")
    assert keys(plan.plan(recipe, store)) == [("web-00001", 1, ["b.jsonl"])]
    s3.fs.ls("inputs/in", detail=True)
    write("a.jsonl", b"FOUR")
    with pytest.raises(IntegrityError, match="changed after planning"):
        plan.open_input(shard.inputs[0], store.endpoint_url)


def test_an_unreachable_server_is_a_storage_error(s3: S3, recipe: Recipe, tmp_path: Path) -> None:
    assert s3.url
    recipe = with_sources(recipe, source_in("s3://bucket/in"))
    with pytest.raises(StorageError, match="connect") as caught:
        plan.plan(recipe, Store(str(tmp_path / "root"), "http://127.0.0.1:9"))
    assert "canary" not in str(caught.value)
