"""What `loopwm bench planner --json` holds."""

from __future__ import annotations

from loopwm_ros.config import Settings
from loopwm_ros.validation.statistics import Spread
from loopwm_ros.validation.summary import Summary


class Times(Settings):
    """Of one thing, over all rounds."""

    samples: int
    median_ms: float
    p99_ms: float
    p999_ms: float
    cpu_ms: float  # median of the thread's own time: what others on the machine do not add to


class CycleRow(Settings):
    """A control cycle: a picture encoded, the state brought up to date, a plan searched, joints planned."""

    bundle: str
    provider: str  # ONNX Runtime's name of what the graphs ran on
    precision: str = "float32"  # of rollouts
    candidates: int
    horizon: int  # actions
    refinements: int
    loops: str  # asked for: auto or a number
    loops_used: float  # mean of a transition in the searches
    shipped: bool  # the task's own settings
    times: Times
    mflop: float | None  # of products and convolutions; None: not counted, the train extra is missing
    peak_share: float | None  # of the machine's matrix product, at the median


class PeerRow(Settings):
    """One plan of another planner, at its published size."""

    name: str
    what: str
    parameters: int
    times: Times
    mflop: float
    peak_share: float


class Machine(Settings):
    """Where it was measured."""

    cpu: str
    cores: int  # that this process may use
    core: int | None  # None: on all of them
    peak_gflops: float  # a product of two matrices of float32, best of several
    device_peak_gflops: float | None = None  # on the GPU, in float16 if all was; None: no GPU was named
    versions: dict[str, str]


class NodeUsage(Settings):
    """What one node's process took of the machine, from when it was configured to the end."""

    node: str
    seconds: float  # that it was watched for
    cores: float  # mean share of one processor core
    rss_mb: tuple[float, ...]  # resident memory, evenly spaced over these seconds [MB]
    growth_mb_per_hour: float | None  # of a line through the later half; None: too short to tell
    threads: int  # at the end


class TopicTiming(Settings):
    """How evenly a node publishes, by the moments at which its messages left."""

    node: str
    topic: str
    messages: int
    period_ms: float  # median interval
    off_ms: Spread  # by which intervals differ from it; pauses between episodes left out


class StepTiming(Settings):
    """How long after one message the next one of another node left."""

    step: str
    times: int
    ms: Spread


class DeadlineRun(Settings):
    """The whole ROS graph at one rate of commands."""

    commands_per_second: float
    seconds: float  # that it took, start and end of the nodes included
    summary: Summary
    nodes: tuple[NodeUsage, ...] = ()
    topics: tuple[TopicTiming, ...] = ()
    steps: tuple[StepTiming, ...] = ()


class DeadlineBench(Settings):
    """Was every command in time?"""

    machine: Machine
    stress: bool  # a busy process for every core competed
    realtime_priority: int  # of mpc, one more of safety; 0: scheduled as everything else
    simulator_priority: int = 0  # of the simulator
    minutes: float  # asked for in all
    runs: list[DeadlineRun]


class StartBench(Settings):
    """How soon the arm gets its first command, and what nodes take that have nothing to do."""

    cpu: str
    cores: int  # that this process may use
    versions: dict[str, str]
    arm: str
    task: str
    bundle_sha256: str
    starts: tuple[dict[str, float], ...]  # seconds from the start of the processes to each step
    idle: tuple[NodeUsage, ...]  # configured, without a cell


class CameraRow(Settings):
    """What a process that reads pictures as mpc does takes of a processor core."""

    transport: str
    width: int
    height: int
    rate: float  # pictures a second that were sent
    read: float  # ... that came ...
    prepared: float  # ... and that were decoded and made the model's input: one a plan
    cores: float  # mean share of one core, less what it takes without pictures
    idle_cores: float  # without pictures


class CameraBench(Settings):
    """All transports."""

    cpu: str
    versions: dict[str, str]
    seconds: float  # for which each was looked at
    rows: tuple[CameraRow, ...]


class PlannerBench(Settings):
    """All rows of one run."""

    machine: Machine
    bundle_sha256: str
    task: str
    rounds: int
    rows: list[CycleRow]
    peers: list[PeerRow]
    ratio: dict[str, float]  # a peer's median time over that of the shipped cycle
