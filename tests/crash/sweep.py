"""A sweep of kills over one recipe: kill, look, run again, compare with a run that nobody interrupted."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from curation_dagster.recipe_file import load
from curation_dagster.store import SCRATCH, Store
from tests.export.conftest import RECIPE, write_corpus

PARTITION = re.compile(r"[a-z]+/.+\.[0-9a-f]{12}\.([0-9a-f]{12})\.(parquet|bin|json)")
RELEASE = "releases/tiny"
EARLIER = ("min_words = 20", "min_words = 30")  # what the root of "overwrite" was made by


@dataclass
class Found:
    """What a sweep came to; the lists name points."""

    points: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


class Disk:
    """Roots as folders below the project's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.endpoint_url = None

    def root(self, name: str) -> str:
        return str(self.folder / name)

    def tree(self, name: str) -> dict[str, bytes]:
        """Return every file of a root but scratch, by name."""
        root = self.folder / name
        return {
            p.relative_to(root).as_posix(): p.read_bytes()
            for p in root.rglob("*")
            if p.is_file() and SCRATCH not in p.parts
        }

    def copy(self, old: str, new: str) -> None:
        shutil.copytree(self.folder / old, self.folder / new)

    def left(self, name: str, temporary: Path) -> list[str]:
        """Name what should not be left: scratch, and unfinished uploads."""
        scratch = self.folder / name / SCRATCH
        found = [*scratch.iterdir()] if scratch.is_dir() else []
        return [p.name for p in [*found, *temporary.glob("*/*")]]


class Bucket:
    """Roots as prefixes of a bucket."""

    def __init__(self, client, bucket: str, endpoint_url: str) -> None:
        self.client, self.bucket, self.endpoint_url = client, bucket, endpoint_url

    def root(self, name: str) -> str:
        return f"s3://{self.bucket}/{name}"

    def tree(self, name: str) -> dict[str, bytes]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{name}/"
        )
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {
            key.removeprefix(f"{name}/"): self.client.get_object(Bucket=self.bucket, Key=key)[
                "Body"
            ].read()
            for key in keys
        }

    def copy(self, old: str, new: str) -> None:
        for name, body in self.tree(old).items():
            self.client.put_object(Bucket=self.bucket, Key=f"{new}/{name}", Body=body)

    def left(self, name: str, temporary: Path) -> list[str]:
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        mine = [u["Key"] for u in uploads if u["Key"].startswith(f"{name}/")]
        return [*mine, *(p.name for p in temporary.glob("*/*"))]


@dataclass
class Sweep:
    """The project: corpus and recipes in one folder, and the process that carries out orders."""

    folder: Path
    place: Disk | Bucket
    victim: subprocess.Popen
    buckets: int = 100  # of the classifier: its size in bytes is 16 times that

    def recipe(self, root: str, *, earlier: bool = False) -> Path:
        text = RECIPE.replace('root = "root"', f'root = "{self.place.root(root)}"\nworkers = 1')
        if self.place.endpoint_url:
            text = text.replace("description", f'endpoint_url = "{self.place.endpoint_url}"\ndescription')  # fmt: skip
        text = text.replace("buckets = 100", f"buckets = {self.buckets}")
        folder = self.folder / ("earlier" if earlier else "now") / root
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "tiny.toml"
        text = text.replace("web-*.jsonl", f"{self.folder}/web-*.jsonl")
        text = text.replace('"wiki.jsonl"', f'"{self.folder}/wiki.jsonl"')
        text = text.replace("benchmark.jsonl", f"{self.folder}/benchmark.jsonl")
        path.write_text(text.replace(*EARLIER) if earlier else text, "utf-8")
        return path

    def run(
        self, root: str, kill_at: int | None = None, *, earlier: bool = False, how: str = "stages"
    ) -> list[str]:
        """Run a recipe over a root; return the steps, empty if it was killed."""
        steps, temporary = self.folder / "steps.json", self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        steps.unlink(missing_ok=True)
        order = {
            "recipe": str(self.recipe(root, earlier=earlier)), "root": self.place.root(root), "kill_at": kill_at,
            "log": str(self.folder / "victim.log"), "steps": str(steps), "temporary": str(temporary),
            "how": how, "environment": {"DAGSTER_HOME": str(self.folder / f"home-{root}")},
        }  # fmt: skip
        self.victim.stdin.write(json.dumps(order) + "\n")
        self.victim.stdin.flush()
        code = int(self.victim.stdout.readline())
        expected = 0 if kill_at is None else -signal.SIGKILL
        assert code == expected, (code, (self.folder / "victim.log").read_text()[-3000:])
        return json.loads(steps.read_text()) if steps.exists() else []

    def go(self, mode: str, chosen, *, how: str = "stages") -> Found:
        """Kill at the points that `chosen` picks of an uninterrupted run's steps."""
        before = f"before-{mode}"
        if mode == "overwrite" and not self.place.tree(before):
            later = self.folder / "web-b.jsonl"  # comes after the earlier run: a second generation
            later.rename(self.folder / "later")
            self.run(before, earlier=True)
            (self.folder / "later").rename(later)
        reference = f"reference-{mode}-{how}"
        if mode == "overwrite":
            self.place.copy(before, reference)
        steps = self.run(reference, how=how)
        old = self.place.tree(before) if mode == "overwrite" else {}
        wanted = self.place.tree(reference)
        found = Found()
        for number in chosen(steps):
            root = f"{mode}-{how}-{number}"
            if mode == "overwrite":
                self.place.copy(before, root)
            self.run(root, number, how=how)
            point = f"{number} {steps[number]}"
            found.points.append(point)
            found.torn += [f"{point}: {name}" for name in torn(self.place.tree(root), old, wanted)]
            found.torn += [f"{point}: {name}" for name in unreadable(self.recipe(root))]
            self.run(root, how=how)
            again = self.place.tree(root)
            wrong = [n for n in again.keys() | wanted if again.get(n) != wanted.get(n)]
            found.differing += [f"{point}: {name}" for name in sorted(wrong)]
            found.orphans += [
                f"{point}: {n}" for n in self.place.left(root, self.folder / "temporary")
            ]
        return found


def torn(tree: dict[str, bytes], old: dict[str, bytes], new: dict[str, bytes]) -> list[str]:
    """Name the files under a final name that are not what that name says."""
    wrong = []
    for name, data in tree.items():
        said = PARTITION.fullmatch(name)
        if said and not name.startswith(("made/", "plan/", "releases/")):
            whole = hashlib.sha256(data).hexdigest()[:12] == said[1]
        elif name.startswith("plan/draft-"):
            whole = bool(json.loads(data)["shards"])
        elif name.startswith(RELEASE):
            whole = data in {old.get(name), new.get(name)}
        else:  # plans, records
            whole = data == new.get(name, old.get(name))
        if not whole:
            wrong.append(name)
    if (manifest := tree.get(f"{RELEASE}/manifest.json")) is not None:
        source = old if manifest == old.get(f"{RELEASE}/manifest.json") else new
        wrong += [
            f"published with another {name}"
            for name in source.keys() | tree.keys()
            if name.startswith(RELEASE) and tree.get(name) != source.get(name)
        ]
    return wrong


def unreadable(recipe_path: Path) -> list[str]:
    """Name the files of a root that a reader refuses."""
    from curation_dagster.errors import CurationError
    from curation_dagster.lineage import Lineage, stages

    recipe = load(recipe_path)
    store = Store.of(recipe)
    lineage, wrong = Lineage(recipe, store), []
    for stage in stages(recipe):
        for key in lineage.partitions(stage.name):
            lineage.state(stage.name, key)
        for ref in store.refs(stage.name):
            try:
                with store.fetch(ref):
                    pass
            except CurationError as error:
                wrong.append(str(error))
    return wrong


def spread(count: int):
    """Choose so many steps: of every stage, kind and place in turn, the first, the last, the middle one."""

    def choose(steps: list[str]) -> list[int]:
        groups: dict[str, list[int]] = {}
        for number, step in enumerate(steps):
            groups.setdefault(step, []).append(number)
        turns = [
            [group[0] for group in groups.values()],
            [group[-1] for group in groups.values()],
            [group[len(group) // 2] for group in groups.values()],
        ]
        chosen: dict[int, None] = {}
        for turn in turns:
            missing = count - len(chosen)
            if missing > 0:
                every = [n for n in turn if n not in chosen]
                chosen |= dict.fromkeys(every[:: max(1, len(every) // missing)][:missing])
        return sorted(chosen)

    return choose


@contextmanager
def sweeping(folder: Path, place: Disk | Bucket, *, buckets: int = 100):
    """Give a sweep over a project in `folder`."""
    write_corpus(folder)
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.victim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env=environment,
    ) as victim:  # fmt: skip
        assert victim.stdout.readline() == "ready\n"
        try:
            yield Sweep(folder, place, victim, buckets)
        finally:
            victim.stdin.close()
