"""Other planners' workloads, to be timed beside ours: networks of published sizes, with random weights."""
