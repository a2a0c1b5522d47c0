"""Names of the monitor's topics."""

SPEED_TOPIC = "/monitor/speed_scale"
MARKER_TOPIC = "/monitor/markers"
