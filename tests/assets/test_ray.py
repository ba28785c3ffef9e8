"""The engine "ray": outcomes as of processes, nodes that differ or die, cancelling; the graph gives the same files."""

import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray_cluster
from conftest_graph import curate, outputs

import assets.annotated
from curation_dagster import engine, engine_ray, plan
from curation_dagster.alike import Alike, alike, package_digest
from curation_dagster.errors import CurationError, IntegrityError, RecipeError
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


def run(
    orders: list[tuple[str, int]], folder: Path, workers: int = 0, **more: Any
) -> list[engine.Outcome[Any]]:
    jobs = [(kind, number, folder) for kind, number in orders]
    keys = [f"k{number}" for _, number in orders]
    return engine.run_all(ray_cluster.job, jobs, keys, workers=workers, engine="ray", **more)


def found(lineage: Lineage) -> dict[str, str]:
    """Name the files there are."""
    return {name: output for name, output in outputs(lineage).items() if output != "missing"}


def on_ray(path: Path, workers: int = 0) -> Path:
    """Make a recipe use the cluster."""
    text = path.read_text("utf-8").replace("workers = 1", f'workers = {workers}\nengine = "ray"')
    path.write_text(text, "utf-8")
    recipe = load(path)
    assert (recipe.workers, recipe.processes) == (
        workers,
        0,
    )  # of the cluster; on this machine one a core
    return path


@pytest.fixture(scope="class")
def node() -> Iterator[None]:
    """One node with two CPUs, and this process connected to it."""
    with pytest.MonkeyPatch.context() as patch, ray_cluster.cluster() as cluster:
        cluster.add(cpus=2)
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        before = signal.getsignal(signal.SIGTERM)
        engine_ray._connected()
        assert (
            signal.getsignal(signal.SIGTERM) == before
        )  # Ray would take it, and Dagster could end no run
        yield
        engine_ray.disconnect()


@pytest.mark.usefixtures("node")
class TestOnOneNode:
    def test_order_failures_observer_and_a_worker_killed_once(self, tmp_path: Path) -> None:
        seen: list[tuple[str, int, int]] = []
        token = engine.observer.set(lambda *what: seen.append(what))
        orders = [
            ("slow", 0), ("square", 1), ("raise", 2), ("die once", 3), ("refuse", 4), ("awkward", 5),
        ]  # fmt: skip
        try:
            outcomes = run(orders, tmp_path, label="raw")
        finally:
            engine.observer.reset(token)
        assert [(o.key, o.result, o.message if o.error else "") for o in outcomes] == [
            ("k0", 0, ""),
            ("k1", 1, ""),
            ("k2", None, "k2: ValueError: bad 2"),
            ("k3", 9, ""),
            ("k4", None, "k4: law 4"),
            ("k5", None, "k5: RuntimeError: Awkward: ab"),
        ]
        assert type(outcomes[4].error) is IntegrityError
        assert "ray_cluster.py" in str(
            outcomes[2].error.__notes__
        )  # where it was raised, for the log
        assert seen == [("raw", n, 6) for n in range(7)]
        assert ray_cluster.tries(tmp_path) == {"0": 1, "1": 1, "2": 1, "3": 2, "4": 1, "5": 1}

    @pytest.mark.parametrize(("workers", "each"), [(0, 1), (1, 2)])
    def test_tasks_share_the_cpus(self, tmp_path: Path, workers: int, each: int) -> None:
        outcome = run([("limits", 0)], tmp_path, workers)[0]
        assert outcome.result == ([str(each)] * 3, each)

    def test_no_more_tasks_at_a_time_than_workers(self, tmp_path: Path) -> None:
        began = time.monotonic()
        assert [o.result for o in run([("slow", 0), ("slow", 1)], tmp_path, 1)] == [0, 1]
        assert time.monotonic() - began >= 2 * ray_cluster.SLOW_S

    def test_the_graph_gives_the_files_it_gives_without(self, curated, fresh, instance) -> None:
        done, lineage = curate(on_ray(fresh), instance, last="annotated")
        assert done.failures == []
        assert done.computed == {"raw": 4, "annotated": 4}
        assert found(lineage).items() <= outputs(curated[2]).items()
        assert any(name.startswith("annotated") for name in found(lineage))

    def test_nodes_that_differ_are_refused_before_any_work(self, tmp_path: Path) -> None:
        with pytest.raises(CurationError, match=r"node 127.0.0.2 is not like") as caught:
            run([("square", 2)], tmp_path, alike=ray_cluster.here_only)
        assert f"pid: {os.getpid()}" not in str(caught.value)
        assert f"expected {os.getpid()}" in str(caught.value)
        assert "same" not in str(caught.value).split("expected")[0]
        assert list(tmp_path.iterdir()) == []
        assert run([("square", 2)], tmp_path, alike=ray_cluster.everywhere)[0].result == 4

    def test_an_interrupt_ends_what_runs(self, tmp_path: Path) -> None:
        """What Dagster does with the signal that ends a run: an exception in the main thread."""

        def interrupted(_signal: int, _frame: object) -> None:
            raise KeyboardInterrupt

        def once_begun() -> None:
            while not list(tmp_path.iterdir()):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)

        before = signal.signal(signal.SIGTERM, interrupted)
        watch = threading.Thread(target=once_begun)
        try:
            watch.start()
            with pytest.raises(KeyboardInterrupt):
                run([("forever", 0), ("forever", 1), ("forever", 2)], tmp_path)
        finally:
            watch.join()
            signal.signal(signal.SIGTERM, before)
        began = [int(path.suffix[1:]) for path in tmp_path.iterdir()]
        deadline = time.monotonic() + 30
        while any(alive(pid) for pid in began) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(alive(pid) for pid in began)
        assert run([("square", 3)], tmp_path)[0].result == 9

    def test_what_cannot_be_sent_fails_alone(self, tmp_path: Path) -> None:
        jobs: list[Any] = [("square", 2, tmp_path), threading.Lock(), ("square", 3, tmp_path)]
        outcomes = engine.run_all(ray_cluster.job, jobs, ["a", "b", "c"], engine="ray")
        assert [o.result for o in outcomes] == [4, None, 9]
        assert "pickle" in outcomes[1].message

    @pytest.mark.slow
    def test_a_job_that_kills_every_worker_fails_alone(self, tmp_path: Path) -> None:
        outcomes = run([("square", 1), ("die", 2), ("square", 3)], tmp_path)
        assert [o.result for o in outcomes] == [1, None, 9]
        assert outcomes[1].message.startswith("k2: the worker process died 4 times")
        assert ray_cluster.tries(tmp_path) == {"1": 1, "2": 1 + engine_ray.RETRIES, "3": 1}


@pytest.mark.slow
def test_a_node_killed_mid_run_costs_its_own_shards_only(curated, fresh, instance, monkeypatch):
    """Two nodes; the second is killed in its second shard of `annotated`. The whole run goes on to the release."""
    begun = fresh.parent / "begun"
    begun.mkdir()
    lost = set()

    def kill_in_its_second_shard(node):
        while len(of_node := list(begun.glob("*.2-*"))) < 2:
            time.sleep(0.02)
        lost.add(max(of_node, key=lambda path: path.stat().st_mtime_ns).stem)
        node.kill()
        (fresh.parent / "killed").touch()

    monkeypatch.setattr(assets.annotated, "annotate_shard", ray_cluster.annotate_until_killed)
    with ray_cluster.cluster() as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        cluster.add()
        killer = threading.Thread(
            target=kill_in_its_second_shard, args=[cluster.add()], daemon=True
        )
        killer.start()
        try:
            done, lineage = curate(on_ray(fresh), instance)
        finally:
            engine_ray.disconnect()
        killer.join(timeout=30)
    assert not killer.is_alive()
    assert done.failures == []
    assert found(lineage) == outputs(curated[2])
    shards = lineage.partitions("annotated")
    assert ray_cluster.tries(begun) == {key: 1 + (key in lost) for key in sorted(shards)}


def test_a_node_that_joins_later_is_asked_with_its_first_shard(tmp_path):
    payload = pickle.dumps((ray_cluster.job, ("square", 2, tmp_path)))
    unlike = pickle.dumps((ray_cluster.everywhere, {"same": "y", "more": "z"}))
    result, error = engine_ray._task(unlike, payload)
    assert result is None
    assert isinstance(error, CurationError)
    assert "more: absent, expected z\n  same: x, expected y\n" in str(error)
    assert list(tmp_path.iterdir()) == []
    alike_ = pickle.dumps((ray_cluster.everywhere, ray_cluster.everywhere()))
    assert engine_ray._task(alike_, payload) == (4, None)


@pytest.mark.slow
def test_a_run_outside_the_cluster(tmp_path, monkeypatch):
    with ray_cluster.cluster() as cluster:
        cluster.add()
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("RAY_ADDRESS", f"ray://{cluster.client_address}")
        try:
            orders = [("square", 1), ("refuse", 2), ("die once", 3)]
            outcomes = run(orders, tmp_path, alike=ray_cluster.everywhere)
            with pytest.raises(CurationError, match="is not like"):
                run([("square", 2)], tmp_path, alike=ray_cluster.here_only)
        finally:
            engine_ray.disconnect()
    assert [o.result for o in outcomes] == [1, None, 9]
    assert type(outcomes[1].error) is IntegrityError


def test_what_machines_must_have_in_common(fresh, tmp_path):
    recipe = load(fresh)
    shard = plan.plan(recipe, Store.of(recipe))[0]
    with alike(recipe, shard) as said:
        here = said()
        assert here == said()
        benchmark = str(tmp_path / "corpus" / "benchmark.jsonl")
        assert {"python", "polars", "pyarrow", "unicode", benchmark, f"root {recipe.root}"} <= set(
            here
        )
        assert not {"pytest", "ray"} & set(here)
        Path(benchmark).write_text("{}", "utf-8")
        elsewhere = recipe.model_copy(update={"root": str(tmp_path / "elsewhere")})
        there = Alike(elsewhere, said.mark)()
        differing = {name for name in here if here[name] != there.get(name)}
        assert differing == {benchmark, f"root {recipe.root}"}
        assert there[f"root {elsewhere.root}"].startswith("another folder")
    assert said()[f"root {recipe.root}"].startswith(
        "another folder"
    )  # the mark lasts as long as the work


def test_a_remote_root_is_known_by_a_plan(fresh):
    recipe = load(fresh)
    shard = plan.plan(recipe, Store.of(recipe))[1]
    remote = recipe.model_copy(update={"root": f"memory://{fresh.parent.name}"})
    store = Store.of(remote)
    store.create(f"plan/alpha/{shard.key}.json", b"{}")
    with alike(remote, shard) as said:
        assert said.mark == f"plan/alpha/{shard.key}.json"
        assert len(said()[f"root {remote.root}"]) == 12


def test_the_digest_of_a_package_is_of_all_its_files(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "lists" / "words.txt").write_text("a")
    seen = [package_digest.__wrapped__(tmp_path)]
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("compiled")
    assert package_digest.__wrapped__(tmp_path) == seen[0]
    (tmp_path / "lists" / "words.txt").write_text("b")
    seen.append(package_digest.__wrapped__(tmp_path))
    (tmp_path / "lists" / "words.txt").rename(tmp_path / "lists" / "terms.txt")
    seen.append(package_digest.__wrapped__(tmp_path))
    assert len(set(seen)) == 3


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("address", ["", " ", "local"])
def test_a_cluster_is_never_started(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(RecipeError, match="expected its address in RAY_ADDRESS"):
        engine.run_all(str, [1], ["a"], engine="ray")
    assert engine.run_all(str, [], [], engine="ray") == []


def test_an_address_nobody_listens_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(CurationError, match=r"RAY_ADDRESS=127.0.0.1:9: no Ray cluster answers"):
        engine.run_all(str, [1], ["a"], engine="ray")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(RecipeError, match=r"curation_dagster\[ray\]"):
        engine.run_all(str, [1], ["a"], engine="ray")
