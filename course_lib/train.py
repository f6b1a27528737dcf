"""Training: one loop. Its budget is a time, because time is what a learner has."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from tqdm.auto import tqdm

from . import checkpoint
from .batches import batches
from .data.sample import Sample
from .errors import CourseError
from .evaluate import evaluate
from .methods.base import Reconstructor
from .muon import Muon


@dataclass
class Run:
    """What happened while a model was trained, and its best weights."""

    best: dict[str, Tensor]
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    validation: list[Sequence[float]] = field(default_factory=list)  # (seconds, PSNR) of each check

    @property
    def steps(self) -> int:
        return len(self.losses)

    def facts(self) -> dict:
        return {"seconds": self.seconds, "losses": self.losses, "validation": self.validation}

    def validate(self, model: Reconstructor, samples: Sequence[Sample]) -> None:
        """Note the PSNR on `samples`, and the weights when it is the best so far."""
        psnr = evaluate(model, samples).mean("psnr")
        if psnr > max((p for _, p in self.validation), default=-math.inf):
            self.best = _copy(model)
        self.validation.append([self.seconds, psnr])


def fit(
    model: Reconstructor,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    seconds: float,
    lr: float = 1e-2,
    batch: int = 1,
    seed: int = 0,
    checks: int = 6,
    critic_lr: float = 1e-3,
    save_to: Path | None = None,
    progress: bool = True,
) -> Run:
    """Train `model` for `seconds` of wall-clock time, validation included, and leave its best weights in it.

    Muon; the learning rate rises for 5 % of the time, then falls to 0 along a cosine. A model with a critic takes
    turns with it: the critic's step (Adam, `critic_lr` on the same schedule), then the model's. The model is validated
    `checks` times and at the end. With `save_to` the run is saved at each check, and goes on from there when the
    file exists. Ctrl-C ends it early and keeps the best weights. Raises `CourseError` when the loss is no number.
    """
    optimisers = _optimisers(model, lr, critic_lr)
    run = Run(best=_copy(model))
    if save_to is not None and save_to.exists():
        run.best, facts = checkpoint.load(save_to, model, optimisers)
        run = Run(best=run.best, **facts)
    made = batches(train, batch, seed + run.steps, next(model.parameters()).device)
    start = time.monotonic() - run.seconds
    try:
        with tqdm(total=round(seconds), initial=round(run.seconds), unit="s", disable=not progress, leave=False) as bar:
            while run.seconds < seconds:
                run.losses.append(_step(model, optimisers, next(made), schedule(run.seconds / seconds)))
                run.seconds = time.monotonic() - start
                bar.update(int(run.seconds) - bar.n)
                if run.seconds > seconds * (len(run.validation) + 1) / (checks + 1):
                    run.validate(model, validation)
                    bar.set_postfix_str(f"step {run.steps}, validation PSNR {run.validation[-1][1]:.2f} dB")
                    if save_to is not None:
                        checkpoint.save(save_to, model, run.best, optimisers, run.facts())
    except KeyboardInterrupt:
        tqdm.write(f"Stopped after {run.steps} steps; the best weights so far stay.")
    run.validate(model, validation)
    model.load_state_dict(run.best)
    return run


def _optimisers(model: Reconstructor, lr: float, critic_lr: float) -> dict[str, Optimizer]:
    """One for the parameters that reconstruct and, if the model has a critic, one for the critic's."""
    found: dict[str, Optimizer] = {"optimiser": Muon(nn.ParameterList(model.own()), lr)}
    if model.critic is not None:
        group = {"params": list(model.critic.parameters()), "peak": critic_lr}
        found["critic"] = Adam([group], lr=critic_lr, betas=(0.5, 0.999))  # betas of DCGAN, usual for critics
    return found


def _step(model: Reconstructor, optimisers: dict[str, Optimizer], sample: Sample, pace: float) -> float:
    """The critic's turn, if there is one, then the model's; returns the model's loss."""
    if "critic" in optimisers:
        _lower(model.critic_loss, optimisers["critic"], sample, pace)
    return _lower(model.loss, optimisers["optimiser"], sample, pace)


def _lower(loss_of: Callable[[Sample], Tensor | None], optimiser: Optimizer, sample: Sample, pace: float) -> float:
    """One step of one optimiser: only the parameters that it holds move."""
    device = sample.kspace.device
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for group in optimiser.param_groups:
        group["lr"] = pace * group["peak"]
    with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device)):
        loss = loss_of(sample)
    assert loss is not None, "a model with a critic says what the critic lowers: critic_loss"
    if not loss.isfinite():
        raise CourseError(f"the loss became {loss.item()}", remedy="a smaller learning rate")
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()
    return loss.item()


def schedule(fraction: float) -> float:
    """Learning rate as a share of its maximum: a short warm-up, then a cosine to 0."""
    return min(1.0, fraction / 0.05) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether convolutions in bfloat16 are faster here than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _copy(model: Reconstructor) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in model.state_dict().items()}
