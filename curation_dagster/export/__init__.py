"""Training shards, their audit and the release."""
