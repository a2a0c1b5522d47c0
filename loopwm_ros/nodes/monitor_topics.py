"""Names of the monitor's topics."""

SPEED_TOPIC = "/monitor/speed_scale"
MARKER_TOPIC = "/monitor/markers"
PATIENCE = 0.3  # [s] silence of the monitor after which safety stops an arm that is gated
