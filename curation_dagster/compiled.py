"""numba's `njit`, with a cache that notices every source a compiled function was made from.

Numba keeps compiled functions until their own file changes. Ours inline functions and bake in tables of other files, so
the folder of the cache is named by the bytes of all of them: after a change, or an upgrade, everything is
compiled anew. It lies in the package's `__pycache__`, below NUMBA_CACHE_DIR where that is set, and where numba
likes if neither can be written. Import this only from kernels: it loads numba.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

import numba
from numba import njit

__all__ = ["njit"]

_PACKAGE: Final = Path(__file__).parent
_TABLES: Final = (  # modules whose constants kernels bake in
    "words.py",
    "annotate/bad_words.py",
    "annotate/c4.py",
    "annotate/data_juicer.py",
    "annotate/lines.py",
    "annotate/mdfg.py",
    "annotate/nemo.py",
    "annotate/phrases.py",
    "annotate/pii.py",
    "annotate/redpajama.py",
    "annotate/redpajama_words.py",
    "annotate/splitter.py",
    "annotate/zyda.py",
    "annotate/str_classes.py",
    "annotate/segments.py",
    "annotate/spaced.py",
    "annotate/redstone.py",
    "annotate/refinedweb.py",
    "decontaminate/likeness.py",
    "decontaminate/rare_terms.py",
    "decontaminate/stems.py",
    "dedup/minhash.py",
    "dedup/urls.py",
    "score/importance.py",
    "ingest/blocks/features.py",
    "ingest/blocks/markup.py",
)


def cache_folder(package: Path) -> Path:
    """Return where functions compiled from these sources are kept."""
    sources = sorted([*package.rglob("*_kernel.py"), *(package / name for name in _TABLES)])
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes())
    above = os.environ.get("NUMBA_CACHE_DIR") or package / "__pycache__"
    return Path(above) / f"kernels-{digest.hexdigest()[:16]}"


def _use(folder: Path) -> None:
    """Point numba at the folder, and drop those of other sources."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # not ours to write: numba finds a place in the user's cache
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    for other in folder.parent.glob("kernels-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


_use(cache_folder(_PACKAGE))
