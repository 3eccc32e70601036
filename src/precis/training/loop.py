"""The one training loop. It knows scorers, objectives and batches; no method's name.

A training is a folder: `training.json` (what it is), `checkpoints/`, `metrics.jsonl`, tracker files, and at the end
`result.json`. Killed at any moment and resumed, it ends with the same weights, bit for bit on a CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from accelerate.utils import broadcast_object_list

from ..errors import UserError
from ..models.structure import evaluating
from ..progress import Progress
from .metrics import MetricsFile, Trackers, add_sums, peak_memory
from .optimizers import scale_gradients, set_rate
from .randomness import same_afterwards
from .run_folder import METRICS_FILE
from .schedule import rate_factor
from .sources import Epoch, Step
from .state import Run, save
from .step import Outcome, compute_gradients, measure, metrics_of

Ending = tuple[str, str]
"""How a training stopped, and why in words."""


def run_to_end(run: Run, *, fresh: bool, quiet: bool) -> Ending:
    """Train from where `run` stands until its steps are done, patience ends or a guard trips."""
    main = run.accelerator.is_main_process
    run.metrics = MetricsFile(run.folder / METRICS_FILE, run.state.metrics_position, enabled=main)
    run.trackers = Trackers(run.accelerator, 0 if fresh else run.state.step + 1)
    try:
        with Progress(
            "training", total=run.total_steps, unit="steps", done=run.state.step, quiet=quiet or not main
        ) as run.progress:
            return (_before_the_first_step(run) if fresh else None) or _steps(run)
    finally:
        run.trackers.close()
        run.metrics.close()


def _before_the_first_step(run: Run) -> Ending | None:
    """What training starts from, and whether memory and disk suffice."""
    ending = _validate(run)[1] if run.validates else None
    save(run)
    return ending


def _steps(run: Run) -> Ending:
    state = run.state
    while state.step < run.total_steps:
        if ending := _out_of_patience(run):  # of a training that was killed before it could say so
            return ending
        epoch = run.source.epoch(state.epoch)
        if epoch.metrics and not state.step_in_epoch and (ending := _made(run, epoch)):
            return ending
        for batches in epoch.steps[state.step_in_epoch :]:
            ending = _step(run, batches, len(epoch.steps))
            if ending:
                return ending
            if state.step == run.total_steps:
                break
    return "finished", f"all {run.total_steps:,} steps are done"


def _made(run: Run, epoch: Epoch) -> Ending | None:
    """Write down what was measured in making an epoch's examples; a guard may have seen enough."""
    _write(run, {"step": run.state.step, "split": epoch.what, **epoch.metrics})
    return _guarded(run, {f"{epoch.what}/{name}": value for name, value in epoch.metrics.items()})


def _step(run: Run, batches: Step, steps_in_epoch: int) -> Ending | None:
    """One update of the weights, and all that is due after it. A reason to stop ends the training."""
    state, config, accelerator = run.state, run.config, run.accelerator
    began = time.monotonic()
    number = state.step + 1
    factor = rate_factor(number, run.total_steps, config)
    set_rate(run.optimizers, factor)
    for parameter in run.parameters.values():
        parameter.grad = None
    own = batches[accelerator.process_index :: accelerator.num_processes]
    outcome = compute_gradients(
        run.how,
        own,
        run.parameters,
        flag=began - run.saved >= 60 * config.checkpoint_minutes,
    )
    values = metrics_of(outcome.sums, run.how.objective)
    norm = outcome.gradient_norm
    for name, value in (("loss", values["loss"]), ("gradient norm", norm)):
        if not math.isfinite(value):
            return "collapse", f"the {name} of step {number:,} is {value}; the step was not applied"
    if config.grad_clip and norm > config.grad_clip:
        scale_gradients(run.parameters, config.grad_clip / norm)
    for optimizer in run.optimizers:
        optimizer.step()
    if run.average:
        run.average.update(number)

    passed = state.epoch + (state.step_in_epoch + 1) / steps_in_epoch
    state.step, state.step_in_epoch = number, state.step_in_epoch + 1
    if state.step_in_epoch == steps_in_epoch:
        state.epoch, state.step_in_epoch = state.epoch + 1, 0
    _log(run, outcome, passed, {"lr": factor * config.learning_rate, "grad_norm": norm}, time.monotonic() - began)
    ending = _guarded(run, {**values, "grad_norm": norm})
    if ending:
        return ending

    last = number == run.total_steps
    every = config.evaluate_every
    improved = False
    if run.validates and (last or (number % every == 0 if every else state.step_in_epoch == 0)):
        improved, ending = _validate(run)
        if ending and ending[0] == "collapse":
            return ending
    every = config.checkpoint_every
    if last or improved or ending or outcome.flag or (every and number % every == 0):
        save(run)
    return ending


def _log(run: Run, outcome: Outcome, epoch: float, rates: Mapping[str, float], seconds: float) -> None:
    """Add a step to the open line, and write the line when it is full."""
    state = run.state
    state.sums = add_sums(state.sums, outcome.sums)
    state.sums = add_sums(state.sums, {"grad_norm": (rates["grad_norm"], 1.0)})
    state.tokens += outcome.tokens
    state.line_tokens += outcome.tokens
    state.line_seconds += seconds
    if state.step % run.config.log_every and state.step != run.total_steps:
        return
    state.train = metrics_of(state.sums, run.how.objective)
    speed = state.line_tokens / max(state.line_seconds, 1e-9)
    units = {f"{t.name}_units": state.sums[f"{t.name}_loss"][1] for t in run.how.objective.terms}
    _write(
        run,
        {
            "step": state.step,
            "split": "train",
            "epoch": epoch,
            "lr": rates["lr"],
            **state.train,
            **units,
            "tokens": state.line_tokens,
            "tokens_per_second": speed,
            "peak_memory": peak_memory(run.how.device),
        },
    )
    state.sums, state.line_tokens, state.line_seconds = {}, 0, 0.0
    if run.progress:
        note = f"loss {state.train['loss']:.4g}, {speed:,.0f} tokens/s"
        run.progress.advance(state.step - run.progress.done, note=note)


def _validate(run: Run) -> tuple[bool, Ending | None]:
    """Measure the validation set. Whether it is the best so far, and a reason to stop if there is one."""
    state, config, accelerator = run.state, run.config, run.accelerator
    with evaluating(run.how.scorer), run.average.in_place() if run.average else nullcontext():
        values: dict[str, float] = {}
        if run.validation:
            outcome = measure(run.how, run.validation[accelerator.process_index :: accelerator.num_processes])
            values = metrics_of(outcome.sums, run.how.objective)
        values |= _extra(run)
    state.validation = values
    _write(run, {"step": state.step, "split": "validation", **values})
    chooses = config.keep_best or config.patience
    for metric in (config.best_metric, *config.also_best) if chooses else ():
        if metric not in values:
            raise UserError(f"best_metric {metric!r} is not measured; there are {', '.join(sorted(values))}")
    ending = _guarded(run, {f"validation/{name}": value for name, value in values.items()})
    if not chooses:
        return False, ending
    value = values[config.best_metric]
    if not math.isfinite(value):
        ending = ending or ("collapse", f"the validation {config.best_metric} after step {state.step:,} is {value}")
    if ending:
        return False, ending
    sign = 1 if config.best_is == "lowest" else -1
    improved = _note_other_bests(run, values, sign)
    if not state.best or sign * value < sign * state.best[config.best_metric]:
        state.best, state.best_step, state.since_best = values, state.step, 0
        return True, None
    state.since_best += 1
    return improved, _out_of_patience(run)


def _note_other_bests(run: Run, values: Mapping[str, float], sign: int) -> bool:
    """Whether one of `also_best` has a new best, whose weights are then to be kept."""
    state, improved = run.state, False
    for metric in run.config.also_best:
        value = values[metric]
        if math.isfinite(value) and (metric not in state.other_best or sign * value < sign * state.other_best[metric]):
            state.other_best[metric], state.other_steps[metric] = value, state.step
            improved = True
    return improved


def _out_of_patience(run: Run) -> Ending | None:
    state, metric = run.state, run.config.best_metric
    if not run.config.patience or state.since_best < run.config.patience:
        return None
    best = f"{metric} {state.best[metric]:.4g} of step {state.best_step:,}"
    return "patience", f"{state.since_best} validations in a row did not improve on {best}"


def _extra(run: Run) -> dict[str, float]:
    """The caller's own measurements (of samples, say), made once and told to every process."""
    if run.extra is None:
        return {}
    box: list[Any] = [None]
    if run.accelerator.is_main_process:
        with same_afterwards():
            box = [{name: float(value) for name, value in run.extra(run.state.step).items()}]
    if run.accelerator.num_processes > 1:
        broadcast_object_list(box)
    return dict(box[0])


def _guarded(run: Run, metrics: Mapping[str, float]) -> Ending | None:
    """Show the metrics to every guard; the first that trips says why."""
    looks = [guard.look(memory, metrics) for guard, memory in zip(run.guards, run.state.memories)]
    run.state.memories = [memory for memory, _ in looks]
    reasons = [reason for _, reason in looks if reason]
    return ("collapse", f"after step {run.state.step:,}: {reasons[0]}") if reasons else None


def _write(run: Run, line: Mapping[str, Any]) -> None:
    if run.metrics:
        run.metrics.write(line)
    if run.trackers:
        run.trackers.write(line, run.state.step)
