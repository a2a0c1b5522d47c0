"""How long things take: control cycles, and the workloads of other planners beside them."""
