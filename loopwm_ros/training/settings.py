"""Training settings: one validated file says everything a run depends on, except the data."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from loopwm_ros.config import Settings
from loopwm_ros.model_spec import Iterate
from loopwm_ros.world_model.parts import LEAST_PARTS

DrawLoops = Literal["transition", "sequence", "batch", "fixed", "uniform"]
BlockKind = Literal["retention", "selective", "dense"]
CoreKind = Literal["looped", "fixed_depth", "gru", "rssm", "latent_mlp"]
PARTED: tuple[CoreKind, ...] = ("looped", "fixed_depth")  # may iterate over parts


class ImageSettings(Settings):
    """The encoder's view of the camera image."""

    width: int = Field(96, ge=16, description="after pre-processing [px]")
    height: int = Field(72, ge=16, description="[px]")
    mean: float = Field(0.5, description="of a pixel in [0, 1]")
    std: float = Field(0.25, gt=0)


class AugmentSettings(Settings):
    """Strength of each image augmentation, for pixels in [0, 1]; 0 switches one off."""

    brightness: float = Field(0.08, ge=0, description="largest shift")
    contrast: float = Field(0.15, ge=0, lt=1, description="largest relative change")
    colour: float = Field(0.08, ge=0, lt=1, description="largest relative change of one channel")
    noise: float = Field(0.015, ge=0, description="standard deviation per pixel")
    cutout: float = Field(0.1, ge=0, le=1, description="chance of one flat rectangle")
    blank: float = Field(0.02, ge=0, le=1, description="chance of an image that shows nothing")


class StageSettings(Settings):
    """How long and how fast one stage learns."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1, description="over all processes")
    learning_rate: float = Field(gt=0)
    final_rate: float = Field(0.02, ge=0, le=1, description="share of the learning rate left at the end")
    warmup: int = Field(100, ge=0, description="[steps]")
    weight_decay: float = Field(1e-3, ge=0)
    clip: float = Field(1.0, gt=0, description="largest gradient norm")
    ema: float = Field(
        0.998, ge=0, lt=1, description="decay of the averaged weights, which are what is shipped"
    )
    evaluate_every: int = Field(1000, ge=1, description="[steps]")
    checkpoint_every: int = Field(1000, ge=1, description="[steps]")


class EncoderSettings(Settings):
    """`E_phi` and how it is supervised on single frames."""

    channels: tuple[int, int, int, int] = (16, 32, 48, 48)
    keypoints: int = Field(24, ge=1)
    glimpses: int = Field(0, ge=0, description="keypoints at which the image's features are read, too")
    hidden: int = Field(128, ge=1)
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the convolutions, while training"
    )
    std_floor: float = Field(0.001, gt=0, description="smallest 1-sigma estimate of a reading [m]")
    std_ceiling: float = Field(0.5, gt=0, description="largest [m]")
    squared_weight: float = Field(1.0, ge=0, description="of the squared error beside the likelihood")
    augment: AugmentSettings = AugmentSettings()
    frames_per_episode: int = Field(
        0, ge=0, description="that the encoder learns from, evenly spaced over the episode; 0: all"
    )
    stage: StageSettings


class CoreSettings(Settings):
    """Size of `L_theta` and of its heads."""

    kind: CoreKind = Field("looped", description="the others are there to be compared with")
    layers: int = Field(0, ge=0, description="of a core of fixed depth")
    inner_width: int = Field(
        0,
        ge=0,
        description="of a dense or selective block, or of a core that is not looped; 0: as its tokens",
    )
    tokens: int = Field(4, ge=1)
    width: int = Field(64, ge=1)
    heads: int = Field(2, ge=1)
    hidden: int = Field(128, ge=1, description="feed-forward width")
    head_hidden: int = Field(128, ge=1)
    prelude_layers: int = Field(1, ge=0)
    block_layers: int = Field(1, ge=1)
    coda_layers: int = Field(1, ge=0)
    initial_retention: float = Field(0.5, gt=0, lt=1, description="every entry of Abar at the start")
    mean_loops: int = Field(4, ge=1, description="mu of T ~ Poisson(mu)")
    max_loops: int = Field(8, ge=1)
    draw_loops: DrawLoops = Field(
        "sequence",
        description="what has a T of its own in training; transition: as early exit gives each; fixed: T is "
        "mean_loops; uniform: each transition's, 1 to max_loops alike",
    )
    iterate: Iterate = Field(
        "block",
        description="what iterations share: block: one input, the block is applied again and again; parts: "
        "the actions of a chunk, each iteration is a step over its part of them",
    )
    retention: bool = Field(True, description="Abar in (0, 1) by construction; else free")
    block: BlockKind = Field(
        "retention",
        description="of the loop: retention: Abar fixed, attention between tokens; selective: Abar depends "
        "on state and input, no coda; dense: the same on the flat state, without attention, heads, hidden, "
        "prelude_layers",
    )
    gradient_loops: int = Field(
        0, ge=0, description="last iterations of a block that gradients flow through; 0: ceil(mu / 2)"
    )

    @property
    def tracked_loops(self) -> int:
        """Iterations that gradients flow through."""
        return self.gradient_loops or math.ceil(self.mean_loops / 2)

    @model_validator(mode="after")
    def _sizes(self) -> CoreSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.kind != "looped" and (self.mean_loops, self.max_loops) != (1, 1):
            raise ValueError(f"a core of kind {self.kind} has no loop: mean_loops and max_loops must be 1")
        if self.kind == "fixed_depth" and not self.layers:
            raise ValueError("a core of fixed depth needs layers, 1 at least")
        if self.kind in ("gru", "rssm", "latent_mlp") and not self.inner_width:
            raise ValueError(f"a core of kind {self.kind} needs an inner_width")
        if self.max_loops < self.mean_loops:
            raise ValueError(f"max_loops {self.max_loops} must not be below mean_loops {self.mean_loops}")
        return self

    @model_validator(mode="after")
    def _block(self) -> CoreSettings:
        if self.block == "dense" and not self.inner_width:
            raise ValueError("a dense block needs an inner_width")
        if self.kind == "looped" and self.block == "retention" and self.inner_width not in (0, self.width):
            raise ValueError("a looped retention block is as wide as its tokens: inner_width must be 0")
        attends = self.kind in ("looped", "fixed_depth") and self.block != "dense"
        if attends and self.inner_width % self.width:
            raise ValueError(
                f"attention needs an inner_width that is a multiple of width {self.width}, "
                f"not {self.inner_width}"
            )
        if self.iterate == "parts" and (self.block == "retention" or self.kind not in PARTED):
            raise ValueError(
                f"a core of kind {' or '.join(PARTED)} with a selective or dense block iterates over parts, "
                f"not {self.kind} with {self.block}"
            )
        if self.iterate == "parts" and self.kind == "looped" and self.max_loops <= LEAST_PARTS:
            raise ValueError(
                f"a leap and {LEAST_PARTS} parts after it take max_loops {1 + LEAST_PARTS} or more"
            )
        if self.block != "retention" and not self.retention:
            raise ValueError(f"a {self.block} block has no Abar that could be free: retention must be true")
        return self


class RolloutSettings(Settings):
    """Windows of observed, then imagined steps, and the losses on them."""

    context: int = Field(
        4, ge=1, description="most observed steps, drawn from 1 to this; in a study always this many"
    )
    horizon: int = Field(12, ge=1, description="K_max: most imagined actions")
    horizon_every: int = Field(ge=1, description="Delta_steps: K grows by one every so many steps")
    unpredicted: tuple[str, ...] = Field(
        (), description="points, e.g. a goal, that are read from images alone: no loss on their future"
    )
    moving_points: tuple[str, ...] = Field(
        (), description="points, e.g. cube, whose moving windows are drawn more often"
    )
    moving_share: float = Field(0.6, ge=0, le=1, description="share of each batch that these windows make up")
    unit: float = Field(
        0.01, gt=0, description="errors are measured in it; the loss is linear beyond one [m]"
    )
    step_weight: float = Field(
        1.0, ge=0, description="of the steps before the last one; 0: terminal loss only"
    )
    latent_weight: float = Field(0.1, ge=0, description="next observation's embedding")
    reward_weight: float = Field(0.1, ge=0, description="lambda_r")
    continuation_weight: float = Field(0.1, ge=0, description="lambda_c")
    consistency_weight: float = Field(0.1, ge=0, description="alpha of the deferred-decoding loss")
    drift_weight: float = Field(0.01, ge=0, description="beta")
    drift_limit: float = Field(1.0, ge=0, description="C_max: free movement of the state per step (RMS)")
    partial_share: float = Field(
        0.3, ge=0, le=1, description="of the transitions over several actions that span fewer than they may"
    )
    iteration_weight: float = Field(0.0, ge=0, description="of each iteration's read-outs, in one transition")
    divergence_weight: float = Field(0.1, ge=0, description="of prior and posterior, where the core has them")
    gate_weight: float = Field(0.1, ge=0, description="of the halting loss")
    gate_entropy: float = Field(0.01, ge=0, description="alpha of the gate's entropy term")
    gate_threshold: float = Field(0.5, gt=0, le=1, description="tau: stop iterating when the gate exceeds it")
    settle_tolerance: float = Field(0.002, gt=0, description="a read-out this near its limit has settled [m]")
    second_difference_threshold: float = Field(0.0, ge=0, description="exit test without parameters; 0: off")
    stage: StageSettings


class JointSettings(Settings):
    """Encoder, core, heads and monitor trained together on images, after the core."""

    reading_weight: float = Field(
        1.0, ge=0, description="of the encoder's reading loss beside the losses on windows"
    )
    encoder_rate: float = Field(
        0.1, ge=0, le=1, description="share of the learning rate for the encoder; 0: it stays as it is"
    )
    stage: StageSettings


class PolicySettings(Settings):
    """The policy cloned from the recordings' actions, on states of the finished encoder and core."""

    inputs: Literal["readouts", "state"] = Field(
        "readouts", description="read-outs of the state and the goal; state: the state as well"
    )
    hidden: int = Field(256, ge=1)
    layers: int = Field(3, ge=1)
    history: int = Field(20, ge=2, description="most observed steps of a state")
    imagined: int = Field(4, ge=1, description="most imagined steps after the last observed one")
    hindsight: tuple[int, int] = Field((5, 25), description="steps from a moment to its goal, least and most")
    least_way: float = Field(0.02, gt=0, description="of the moved point to a goal in hindsight [m]")
    arrived: float = Field(0.025, gt=0, description="an episode that ends this near the mark teaches it [m]")
    mark_share: float = Field(0.3, ge=0, le=1, description="of a batch with the mark for a goal")
    modes: int = Field(5, ge=1, description="ways to act that the policy can tell apart")
    std_floor: float = Field(0.05, gt=0, description="least standard deviation of an action in one of them")
    evaluation_moments: int = Field(8192, ge=1)
    stage: StageSettings

    @model_validator(mode="after")
    def _spans(self) -> PolicySettings:
        least, most = self.hindsight
        if not 1 <= least <= most:
            raise ValueError(f"hindsight {least}, {most} must be two numbers from 1 on, the least first")
        return self


class TrainSettings(Settings):
    """A whole training run."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    arm: str
    task: str
    seed: int = Field(0, ge=0)
    threads: int = Field(0, ge=0, description="CPU threads; 0: all cores")
    stride: int = Field(2, ge=1, description="control periods per action")
    chunk: int = Field(1, ge=1, le=64, description="actions that an imagined transition may span")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of episodes kept for evaluation, by seed")
    held_out_seed: int | None = Field(None, ge=0, description="that they are drawn by; none: the seed")
    evaluation_frames: int = Field(2000, ge=1)
    evaluation_windows: int = Field(512, ge=1)
    image: ImageSettings = ImageSettings()
    encoder: EncoderSettings
    core: CoreSettings = CoreSettings()
    rollout: RolloutSettings
    joint: JointSettings | None = Field(None, description="none: the encoder stays as its own stage left it")
    policy: PolicySettings | None = Field(None, description="none: no policy is trained")

    @model_validator(mode="after")
    def _parts(self) -> TrainSettings:
        if self.core.iterate == "parts" and self.chunk == 1:
            raise ValueError("core.iterate parts shares out the actions of a chunk: chunk must be 2 or more")
        return self

    @property
    def split_seed(self) -> int:
        """What the held-out episodes are drawn by."""
        return self.seed if self.held_out_seed is None else self.held_out_seed
