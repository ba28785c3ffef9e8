"""Which judge measures which family of signals, and which edit notes which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation_dagster.annotate import (
    c4,
    data_juicer,
    dclm,
    dolma,
    fineweb,
    gopher,
    mdfg,
    nemo,
    redpajama,
    redstone,
    refinedweb,
    zyda,
)

if TYPE_CHECKING:
    from curation_dagster.annotate.family import Edit, Family

FAMILIES: dict[str, Family] = {
    "gopher_quality": gopher.QUALITY,
    "gopher_repetition": gopher.REPETITION,
    "c4": c4.PAGE,
    "fineweb": fineweb.FAMILY,
    "redpajama": redpajama.FAMILY,
    "refinedweb": refinedweb.PAGE,
    "dclm": dclm.FAMILY,
    "dolma": dolma.FAMILY,
    "redstone": redstone.FAMILY,
    "zyda": zyda.FAMILY,
    "nemo": nemo.FAMILY,
    "data_juicer": data_juicer.FAMILY,
    "mdfg": mdfg.FAMILY,
}
EDITS: dict[str, Edit] = {
    "c4_lines": c4.LINES,
    "dclm_text": dclm.TEXT,
    "refinedweb_lines": refinedweb.LINES,
    "redstone_sentences": redstone.SENTENCES,
}
