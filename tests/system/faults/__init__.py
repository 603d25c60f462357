"""Faults that are done to a running installation, and what they cost: nothing, if all is well.

A driver sends uploads in all ways beside a batch, a fault is done, and a judge looks for each
upload and row. `python -m tests.system.faults` does all of them; test_faults.py does a few.
"""
