"""Runs a recipe and kills itself before the n-th step of writing: what the tests of this folder start.

A step is what the interpreter's audit hook sees below the root or in scratch (open for writing, rename, link, remove,
mkdir, rmdir), an fsync, a row group of a table; on S3 a request that writes, before it is sent or after it was
answered. Nothing the product does is replaced. Orders come as JSON lines on standard input; each is carried out in
a fork of this process, which has imported everything and started no thread.
"""

import contextlib
import functools
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from curation_dagster import plan, recipe_file, s3, table
from curation_dagster.export.release import publish
from curation_dagster.export.shuffle import TABLES, collect
from curation_dagster.job import plan_job, run
from curation_dagster.lineage import stages
from tests.export.conftest import Pipeline

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
S3_CALLS = {
    "put_object",
    "create_multipart_upload",
    "upload_part",
    "complete_multipart_upload",
    "abort_multipart_upload",
    "delete_object",
    "delete_objects",
}


class Steps:
    """Counts the steps, notes them, and kills the process at one."""

    def __init__(self, folders: list[str], kill_at: int | None) -> None:
        self.folders = folders
        self.kill_at = kill_at
        self.stage = "plan"
        self.seen: list[str] = []

    def take(self, kind: str, where: str) -> None:
        self.seen.append(f"{self.stage}|{kind}|{where}")
        if len(self.seen) - 1 == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def place(self, path: str) -> str | None:
        """Say which part of the root a path is in; None outside."""
        for folder in self.folders:
            if path.startswith(folder):
                return path.removeprefix(folder).strip("/").split("/")[0] or "."
        return None

    def hear(self, event: str, given: tuple) -> None:
        if event == "open":
            if isinstance(given[0], int) or not given[2] & WRITES:
                return
            target = given[0]
        elif event in {"os.rename", "os.link"}:
            target = given[1]
        elif event in {"os.remove", "os.rmdir", "os.mkdir"}:
            target = given[0]
        else:
            return
        path = os.fsdecode(target)
        inside = given[-1] if event in {"os.remove", "os.rmdir"} else -1
        if inside not in {-1, None}:  # shutil.rmtree goes by descriptors
            path = str(Path(f"/proc/self/fd/{inside}").readlink() / path)
        where = self.place(str(Path(path).absolute()))
        if where is not None:
            self.take(event, where)


def watch(steps: Steps) -> None:
    real_fsync, real_write = os.fsync, table.TableWriter.write

    def fsync(descriptor: int) -> None:
        steps.take("fsync", "scratch")
        real_fsync(descriptor)

    def write(self: table.TableWriter, frame: object) -> None:
        real_write(self, frame)
        steps.take("row group", "scratch")

    os.fsync = fsync
    table.TableWriter.write = write
    sys.addaudithook(steps.hear)


def watch_s3(steps: Steps) -> None:
    import s3fs

    real = s3fs.S3FileSystem._call_s3

    async def call_s3(self: object, method: str, *args: object, **kwargs: object) -> object:
        if method not in S3_CALLS:
            return await real(self, method, *args, **kwargs)
        key = str(kwargs.get("Key", "")).split("/")
        steps.take(f"before {method}", key[1] if len(key) > 1 else "")
        answer = await real(self, method, *args, **kwargs)
        steps.take(f"after {method}", key[1] if len(key) > 1 else "")
        return answer

    s3fs.S3FileSystem._call_s3 = call_s3
    s3.PART_BYTES = 5 << 20  # the least S3 takes


def work_on(recipe: Path, steps: Steps) -> None:
    """Do what the assets do, without Dagster."""
    pipeline = Pipeline(recipe_file.load(recipe))
    store = pipeline.store
    plan.plan(pipeline.recipe, store)
    for stage in stages(pipeline.recipe):
        steps.stage = stage.name
        store.sweep()
        if stage.name == "exported":
            export(pipeline)
        else:
            pipeline.run_stage(stage.name)
    steps.stage = "rendering"
    lineage = pipeline.lineage
    manifest = lineage.footer(lineage.current("release", "all"))
    publish(store, manifest, jsonl=pipeline.recipe.export.jsonl)


def export(pipeline: Pipeline) -> None:
    """Export what is not current, in one run."""
    lineage, store = pipeline.lineage, pipeline.store
    keys = [k for k in lineage.partitions("exported") if not lineage.current("exported", k)]
    jobs = [plan_job(lineage, "exported", key) for key in keys]
    with store.scratch() as folder, contextlib.ExitStack() as fetched:

        def tables(shard: str) -> dict[str, Path]:
            refs = [lineage.current(stage, shard) for stage in TABLES]
            return dict(zip(TABLES, fetched.enter_context(store.fetch(*refs)), strict=True))

        pipeline.spill(folder, frozenset(keys), tables)
        gather = functools.partial(collect, folder=folder, wanted=frozenset(keys))
        for job in jobs:
            run(job, gather)


def curate(recipe: Path, steps: Steps) -> None:
    from curation_dagster import cli
    from curation_dagster.orchestration import stage

    real = stage.compute

    def compute(context: object, recipe: object, name: str, work: Callable) -> object:
        steps.stage = name
        return real(context, recipe, name, work)

    stage.compute = compute
    try:
        cli.main(["run", str(recipe)])
    except SystemExit as end:
        if end.code:
            raise


def carry_out(order: dict) -> None:
    import tempfile

    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ |= order.get("environment", {})
    tempfile.tempdir = order["temporary"]
    steps = Steps([order["root"], order["temporary"]], order.get("kill_at"))
    (watch if not re.match(r"\w+://", order["root"]) else watch_s3)(steps)
    {"stages": work_on, "curate": curate}[order["how"]](Path(order["recipe"]), steps)
    with Path(order["steps"]).open("w") as out:
        json.dump(steps.seen, out)


def main() -> None:
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                carry_out(json.loads(line))
                code = 0
            except BaseException:  # noqa: BLE001 - whatever it is, the log has it
                import traceback

                traceback.print_exc()
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
