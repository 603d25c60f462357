"""Uploads a second beside other servers of models: `python -m benchmarks.peers`."""
