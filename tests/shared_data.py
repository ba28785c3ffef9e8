"""Where the real data for tests lies: CURATE_DATA, else `shared/data` beside the clone. Tests skip without it."""

import os
from pathlib import Path

DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[2] / "shared" / "data")
