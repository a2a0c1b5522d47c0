"""A calibrated camera in tf: its optical frame in the frame that it is fixed in."""

from launch import LaunchDescription
from launch_ros.actions import Node

TRANSFORM = {
    '--x': '1.2578466334912874',
    '--y': '0.020002723924484104',
    '--z': '0.6234401134419735',
    '--qx': '-0.623397623560825',
    '--qy': '-0.6454397160848035',
    '--qz': '0.30560542361120946',
    '--qw': '0.31841529626966303',
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
