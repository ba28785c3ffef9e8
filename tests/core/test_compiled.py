"""The cache of compiled kernels follows every source they are made from."""

from pathlib import Path

import pytest

import curation_dagster
from curation_dagster import compiled

PACKAGE = Path(curation_dagster.__file__).parent


@pytest.fixture
def package(tmp_path):
    """Copy the sources that kernels are made from."""
    names = [p.relative_to(PACKAGE) for p in PACKAGE.rglob("*_kernel.py")]
    for name in [*names, *map(Path, compiled._TABLES)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((PACKAGE / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", ["ingest/blocks/markup.py", "words_kernel.py", "words.py"])
def test_a_changed_source_has_another_cache(package, name, monkeypatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    before = compiled.cache_folder(package)
    assert before.name == compiled.cache_folder(PACKAGE).name
    with (package / name).open("a") as file:
        file.write("# a word\n")
    assert compiled.cache_folder(package).name != before.name


def test_caches_of_other_sources_are_dropped(tmp_path, monkeypatch) -> None:
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    (tmp_path / "kernels-old").mkdir()
    (tmp_path / "other").mkdir()
    compiled._use(tmp_path / "kernels-new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kernels-new", "other"]
    assert str(tmp_path / "kernels-new") == numba.config.CACHE_DIR


def test_every_table_a_kernel_bakes_in_is_named() -> None:
    """A constant that a kernel imports from a module nobody hashes would go stale."""
    tables = {t.removesuffix(".py").replace("/", ".") for t in compiled._TABLES}
    known = {f"curation_dagster.{name}" for name in (*tables, "compiled")}
    imports = [
        (source.name, line.split()[1])
        for source in PACKAGE.rglob("*_kernel.py")
        for line in source.read_text("utf-8").splitlines()
        if line.startswith("from curation_dagster")
        and not line.startswith("from curation_dagster.ingest.blocks import")
    ]
    assert len(imports) > 14
    assert [i for i in imports if i[1] not in known and not i[1].endswith("_kernel")] == []
