"""Names of what mpc publishes, beside what it tells the monitor."""

PLAN_TOPIC = "/mpc/plan"
IMAGINED_TOPIC = "/mpc/imagined"
