"""A calibrated camera in tf: its optical frame in the frame that it is fixed in."""

from launch import LaunchDescription
from launch_ros.actions import Node

TRANSFORM = {
    '--x': '1.2578466334912877',
    '--y': '0.02000272392445626',
    '--z': '0.6234401134419868',
    '--qx': '-0.6233976235608318',
    '--qy': '-0.6454397160847998',
    '--qz': '0.3056054236111995',
    '--qw': '0.31841529626966714',
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
