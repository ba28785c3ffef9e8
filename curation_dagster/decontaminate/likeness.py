"""How alike two texts are, without a model: cosines of idf-weighted grams that rephrasing leaves.

Three kinds of grams of prose (stems, pairs of stems, four characters in a row) and for programs a fourth
(runs of two to five tokens of the skeleton). Each kind is a cosine, and the likeness is their mean: no weight was
fitted. An item is compared in three *views*: its question, with its answer, with its choices; the best
counts. The compiled loops are in `likeness_kernel`. Not here: where to look; see `rare_terms`.
"""

from __future__ import annotations

WORDS, PAIRS, CHARS, SKELETON = range(4)
KINDS = 4
SALTS = (0, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # kinds share one table
VIEWS = 3
WINDOW = 0  # the columns of counts: the window, then the views
WITH_ANSWER, WITH_CHOICES = 2, 4  # bits of views; the question's is 1
