"""Faults, one after the other, put into a cell of real nodes: `python -m benchmarks.faults`."""
