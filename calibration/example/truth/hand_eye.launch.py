"""A calibrated camera in tf: its optical frame in the frame that it is fixed in."""

from launch import LaunchDescription
from launch_ros.actions import Node

TRANSFORM = {
    '--x': '1.2575692983638833',
    '--y': '0.02',
    '--z': '0.6233355707519623',
    '--qx': '-0.6231621067997909',
    '--qy': '-0.6454672809514916',
    '--qz': '0.30605078679125725',
    '--qw': '0.31839267230008045',
    '--frame-id': 'panda_link0',
    '--child-frame-id': 'camera_optical_frame',
}


def generate_launch_description():
    """One static transform, until the launch ends."""
    arguments = [word for option in TRANSFORM.items() for word in option]
    return LaunchDescription(
        [
            Node(
                package="tf2_ros",
                executable="static_transform_publisher",
                name='camera_optical_frame_transform',
                arguments=arguments,
            )
        ]
    )
