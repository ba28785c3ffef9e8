"""The compiled loop of `chance`. Import it where it is used: it loads numba."""
# The arguments of compiled functions are arrays whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.words_kernel import OFFSET, PRIME, U, mix


@njit(nogil=True, cache=True)
def keyed(data, offsets, seed):
    """Hash every row's bytes (FNV-1a from a seeded start, mixed twice); the twin of `chance.keyed_oracle`."""
    n = len(offsets) - 1
    hashes = np.empty(n, np.uint64)
    for d in range(n):
        h = OFFSET ^ seed
        for i in range(offsets[d], offsets[d + 1]):
            h = (h ^ U(data[i])) * PRIME
        hashes[d] = mix(mix(h))
    return hashes
