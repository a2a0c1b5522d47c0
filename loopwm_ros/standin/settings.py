"""In what the stand-in arm differs from the simulation that models learn in."""

from __future__ import annotations

from pydantic import Field

from loopwm_ros.config import Settings


class StandinSettings(Settings):
    """Physics, servo and sensors of the stand-in; a *share* is drawn evenly from +- that, once an episode."""

    physics_rate: float = Field(500.0, ge=400.0, le=5000.0, description="steps of MuJoCo, at least [Hz]")
    contact_time: float = Field(
        0.006, ge=0.005, le=0.05, description="in which a contact yields: its softness [s]"
    )
    friction_share: float = Field(0.15, ge=0.0, le=0.5, description="off the drawn friction")
    mass_share: float = Field(
        0.1, ge=0.0, le=0.5, description="off each mass; what compensates gravity knows the URDF's"
    )
    servo_frequency: float = Field(12.0, ge=2.0, le=30.0, description="of each joint's servo [Hz]")
    servo_damping: float = Field(0.9, ge=0.3, le=2.0, description="of that servo; 1: critical")
    servo_smoothing: float = Field(
        0.01, ge=0.001, le=0.1, description="time constant of the reference's low-pass [s]"
    )
    joint_friction: float = Field(0.01, ge=0.0, le=0.2, description="dry, share of a joint's effort limit")
    rotor_inertia: float = Field(0.05, ge=0.0, le=1.0, description="of each joint's drive [kg m^2]")
    command_delay: float = Field(0.008, ge=0.0, le=0.1, description="until a command reaches the servo [s]")
    command_jitter: float = Field(0.004, ge=0.0, le=0.1, description="added to that, 0 to this [s]")
    joint_noise: float = Field(1e-4, ge=0.0, le=0.01, description="of measured positions, 1 sigma [rad]")
    joint_step: float = Field(1e-4, ge=0.0, le=0.01, description="of measured positions; 0: none [rad]")
    velocity_noise: float = Field(0.01, ge=0.0, le=0.2, description="of measured velocities, 1 sigma [rad/s]")
    camera_delay: float = Field(0.01, ge=0.0, le=0.2, description="added to the camera's latency [s]")
    camera_jitter: float = Field(0.01, ge=0.0, le=0.2, description="added to that, 0 to this, each frame [s]")
    exposure_share: float = Field(0.1, ge=0.0, le=0.5, description="off the picture's brightness")
    tint_share: float = Field(0.04, ge=0.0, le=0.3, description="off each colour of it")
    pixel_noise: float = Field(2.5, ge=0.0, le=30.0, description="of each pixel, 1 sigma, of 255")
