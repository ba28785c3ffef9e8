"""How much the property tests try: a little by default, a lot with HYPOTHESIS_PROFILE=thorough. And the S3 server."""

import os

from ceph import ceph, ceph_bucket
from hypothesis import settings

settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

__all__ = ["ceph", "ceph_bucket"]
