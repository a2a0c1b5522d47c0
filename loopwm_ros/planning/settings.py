"""How the planner searches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from loopwm_ros.config import Settings

Candidates = Annotated[int, Field(ge=2)]
PlannerKind = Literal["mppi", "cem", "policy"]
Loops = Annotated[int, Field(ge=1)]


class PlannerSettings(Settings):
    """Choices of the planner; loops per transition are the world model's."""

    kind: PlannerKind = Field("mppi", description="policy: no search, the bundle's policy decides")
    horizon: int = Field(8, ge=1, description="actions looked ahead")
    candidates: Candidates = Field(64, description="futures imagined per refinement")
    fewer_candidates: tuple[Candidates, ...] = Field((32, 16), description="tried when time is short")
    refinements: int = Field(2, ge=1, description="sample, score, update this many times")
    fewer_loops: tuple[Loops, ...] = Field((4, 3, 2, 1), description="caps tried when time is short")
    knots: int = Field(3, ge=1, description="independent draws per action axis over the horizon")
    noise: float = Field(0.6, gt=0, description="standard deviation of the first refinement's actions")
    noise_decay: float = Field(0.3, gt=0, le=1, description="noise of each further refinement (MPPI)")
    temperature: float = Field(0.15, gt=0, description="in units of the costs' spread (MPPI)")
    elites: int = Field(6, ge=1, description="candidates that the next mean is made of (CEM)")
    proposal: Literal["none", "policy", "auto"] = Field(
        "none", description="where else to look than about the last plan; auto: policy, where there is one"
    )
    proposed: int = Field(16, ge=1, description="candidates about the proposal, itself included")
    proposed_noise: float = Field(0.2, gt=0, description="standard deviation of their actions")
    margin: float = Field(0.002, ge=0, description="kept free before the deadline [s]")
