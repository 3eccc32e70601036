"""Learning-rate schedules that the papers name, as one pure function of the step."""

from __future__ import annotations

import math

from .config import TrainConfig


def rate_factor(step: int, total_steps: int, config: TrainConfig) -> float:
    """What the peak learning rate is multiplied with at `step` (from 1) of `total_steps`.

    `inverse-sqrt` is min(s^-½, s·w^-1.5) (Liu et al. 2023's code): w^-½ at its peak, the end of the warm-up. The
    others rise linearly to 1 during the warm-up, then stay, or fall towards `final_fraction`, which they would
    reach one step after the last: a step at rate 0 would be computed for nothing.

    >>> [round(rate_factor(s, 4, TrainConfig(schedule="linear", warmup_steps=2)), 2) for s in (1, 2, 3, 4)]
    [0.5, 1.0, 0.67, 0.33]
    """
    warmup = warmup_steps(total_steps, config)
    if config.schedule == "inverse-sqrt":
        return min(1 / math.sqrt(step), step / (warmup * math.sqrt(warmup)))
    if step <= warmup:
        return step / warmup
    if config.schedule == "constant":
        return 1.0
    peak = max(1, warmup)
    done = (step - peak) / (total_steps - peak + 1)
    fall = 1.0 - done if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return config.final_fraction + (1 - config.final_fraction) * fall


def warmup_steps(total_steps: int, config: TrainConfig) -> int:
    """Steps of warm-up; a share of all steps is rounded up, and a schedule that needs a warm-up has at least one."""
    steps = config.warmup_steps or math.ceil(config.warmup_fraction * total_steps)
    return max(1, steps) if config.schedule == "inverse-sqrt" else steps
