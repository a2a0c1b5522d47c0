"""Where a goal is given to the mpc node. Publish with QoS `LATCHED`: reliable, transient local, depth 1."""

from __future__ import annotations

POSITION = "/mpc/goal"  # geometry_msgs/PointStamped in the arm's base frame
IMAGE = "/mpc/goal_image/compressed"  # sensor_msgs/CompressedImage ...
JOINTS = "/mpc/goal_joints"  # ... and the sensor_msgs/JointState, equally stamped, at which it was taken
CAPTURE = "~/capture_goal"  # std_srvs/Trigger: what the camera shows now is the goal image
