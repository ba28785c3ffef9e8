"""One round with a store: everything it can do, through a line that may fail, and whether all of it came out right."""

import random
from pathlib import Path

from curation_dagster.errors import StorageError
from curation_dagster.store import Store

DIGEST = "0123456789ab"


def content(seed, size):
    """Make bytes that no other seed makes."""
    return random.Random(seed).randbytes(size)


def everything(store: Store, folder: Path, seed: int, large: int) -> None:
    """Publish, create, list, fetch, read ranges, replace and remove; refuse any other answer than the right one.

    Raises:
        StorageError: when patience ended. AssertionError: for wrong data.
    """
    texts = {
        f"web-{i:05d}": content(f"{seed} {i}", size) for i, size in enumerate((0, 5000, large))
    }
    refs = []
    for name, text in texts.items():
        draft = folder / f"{seed}-{name}.parquet"
        draft.write_bytes(text)
        refs.append(store.publish(draft, "raw", name, DIGEST))
    assert store.create("plan/a.json", b"%d" % seed), "nobody else is there"
    assert not store.create("plan/a.json", b"other"), "the name is taken"
    assert store.read("plan/a.json") == b"%d" % seed
    assert store.refs("raw") == refs
    assert [r.bytes for r in store.refs("raw")] == [0, 5000, large]
    with store.fetch(*refs) as paths:
        assert [p.read_bytes() for p in paths] == list(texts.values())
    chance = random.Random(seed)
    with store.open(refs[2]) as stream:
        for _ in range(4):
            start = chance.randrange(large)
            stream.seek(start)
            assert stream.read(3000) == texts["web-00002"][start : start + 3000]
    draft.write_bytes(b"card")
    store.replace("releases/card.md", draft)
    assert store.names("releases") == ["card.md"]
    store.remove("releases/card.md")
    assert store.names("releases") == []


def round_of(store, folder, seed, large):
    """Say how a round ended: right, or loud (an error that names key and reason); wrong data is an AssertionError."""
    try:
        everything(store, folder, seed, large)
    except StorageError as error:
        key = str(error).split(": ", maxsplit=1)[0]
        return "loud" if "/" in key else f"no key: {error}"
    return "right"


def whole(store):
    """Look without faults: every visible file holds what its name says. Return how many there are."""
    refs = store.refs("raw")
    with store.fetch(*refs):
        return len(refs)
