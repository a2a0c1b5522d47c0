"""One training window: observed steps, then imagined ones, and all losses on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopwm_ros.training import losses
from loopwm_ros.training.exits import exits_of, gate_logits
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.rssm import Rssm
from loopwm_ros.training.settings import CoreSettings, RolloutSettings
from loopwm_ros.training.windows import Window


def unroll(model: LoopWM, start: Tensor, window: Window, context: int, loops: Tensor) -> Tensor:
    """States `h_0 .. h_n` with `h_0 = start`: `context` observed steps, the rest imagined.

    `loops`: iterations for each step and sequence, (steps, batch), on the CPU.
    """
    states, blind = [start], torch.zeros_like(start)
    for step in range(len(window.actions)):
        tokens = window.tokens[step] if step < context else blind
        states.append(model.core(states[-1], tokens, window.actions[step], loops[step]))
    return torch.stack(states)


class RolloutLoss(nn.Module):
    """The deferred-decoding loss with its window; a module, so that DistributedDataParallel can wrap it."""

    def __init__(self, model: LoopWM, settings: RolloutSettings, core: CoreSettings) -> None:
        super().__init__()
        self.model, self.settings, self.core = model, settings, core

    def forward(
        self, start: Tensor, window: Window, context: int, loops: Tensor, probed: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its parts, for windows that begin in state `start`.

        Args:
            start: (batch, tokens, width).
            window: its first `context` steps are observed, the rest imagined.
            context: 1 at least.
            loops: iterations of each transition, (steps, batch).
            probed: the step that is iterated to the end, to teach the gate, (1,).
        """
        states = unroll(self.model, start, window, context, loops)
        parts = self._readout_losses(states[1:], window)
        parts["consistency"] = self._consistency(states[context + 1 : -1], window.tokens[context:-1])
        parts["drift"] = losses.drift_hinge(states[context:], self.settings.drift_limit)
        prelude = self.model.core.prelude
        if isinstance(prelude, Rssm):
            seen = (part[:context].flatten(0, 1) for part in (states, window.tokens, window.actions))
            parts["divergence"] = prelude.divergence(*seen)
        if self.core.kind == "looped":
            parts |= self._probe(states, window, context, probed)
        return self._weigh(parts), parts

    def _readout_losses(self, states: Tensor, window: Window) -> dict[str, Tensor]:
        """Terminal step, earlier steps, and the lighter heads on all steps."""
        steps, batch = window.reward.shape
        said = self.model.heads.predict(states.flatten(0, 1))
        located = said.quantities.reshape(steps, batch, -1)
        error = losses.readout_error(located, window.quantities, self.settings.unit)
        outcome = functional.binary_cross_entropy_with_logits(
            said.continuation, window.continuation.flatten(), reduction="none"
        )
        reward = (said.reward - window.reward.flatten()).square()
        return {
            "terminal": losses.masked_mean(error[-1], window.known[-1]),
            "steps": losses.masked_mean(error[:-1], window.known[:-1]),
            "latent": functional.mse_loss(said.latent, window.tokens.detach().flatten(2).flatten(0, 1)),
            "reward": losses.masked_mean(reward, window.reward_known.flatten()),
            "continuation": losses.masked_mean(outcome, window.continuation_known.flatten()),
        }

    def _consistency(self, states: Tensor, tokens: Tensor) -> Tensor:
        """`1/(K-1) sum_{k<K} |g_omega(h_k) - stopgrad(E_phi(o_k))|^2`; 0 for K = 1."""
        if not len(states):
            return 0 * torch.stack([part.sum() for part in self.model.monitor.parameters()]).sum()
        return functional.mse_loss(self.model.monitor(states), tokens.detach())

    def _probe(self, states: Tensor, window: Window, context: int, probed: Tensor) -> dict[str, Tensor]:
        """Iterate one transition to the end; teach the gate when its read-out had settled."""
        seen = torch.cat([window.tokens[:context], torch.zeros_like(window.tokens[context:])])
        state, tokens, action, truth, known = (
            part.index_select(0, probed)[0]
            for part in (states.detach(), seen, window.actions, window.quantities, window.known)
        )
        with torch.set_grad_enabled(self.settings.iteration_weight > 0 and torch.is_grad_enabled()):
            exits = exits_of(self.model, state, tokens, action, self.core.max_loops)
            readouts = self.model.heads.locate(self.model.core.coda(exits.states.flatten(0, 1)))
            readouts = readouts.unflatten(0, exits.states.shape[:2])
        # What a window has no label of, as a block that is not there, may do anything.
        there = window.known.any(0)
        target = losses.settled(readouts.detach() * there, self.settings.settle_tolerance)
        logit = gate_logits(self.model, exits)
        parts = {"gate": losses.gate_loss(logit, target, self.settings.gate_entropy)}
        if self.settings.iteration_weight:
            error = losses.readout_error(readouts, truth.expand_as(readouts), self.settings.unit)
            parts["iterations"] = losses.masked_mean(error, known)
        return parts

    def _weigh(self, parts: dict[str, Tensor]) -> Tensor:
        settings = self.settings
        weights = {
            "terminal": 1.0,
            "steps": settings.step_weight,
            "latent": settings.latent_weight,
            "reward": settings.reward_weight,
            "continuation": settings.continuation_weight,
            "consistency": settings.consistency_weight,
            "drift": settings.drift_weight,
            "gate": settings.gate_weight,
            "iterations": settings.iteration_weight,
            "divergence": settings.divergence_weight,
        }
        return torch.stack([weights[name] * part for name, part in parts.items()]).sum()
