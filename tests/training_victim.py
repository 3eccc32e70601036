"""Trainings that are killed. Run as a script, so that SIGKILL hits real processes: `training_victim.py FOLDER`.

The parent never computes; each training is a forked child, which costs no second import of torch.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # torch's optimizers import it; every child would
from safetensors.torch import save_file

from precis.objectives import nll, pairwise_logistic
from precis.training import TrainConfig
from precis.training.train import train
from tiny import tiny_policy
from training_toys import PAD, go_online, some_examples, tiny_gpt2, tiny_reward_model

DISK_CALLS = ((os, "fsync"), (os, "rename"), (os, "replace"), (shutil, "rmtree"))


def go(kind: str, run: Path) -> None:
    """17 groups in batches of 3 and steps of 4 batches: 2 steps an epoch, the second of 2 batches only."""
    config = TrainConfig(
        learning_rate=5e-3,
        weight_decay=0.1,
        warmup_steps=2,
        ema=0.6,
        dropout=True,
        groups_per_batch=3,
        accumulation=4,
        epochs=4,
        evaluate_every=3,
        checkpoint_every=2,
        keep_checkpoints=2,
        log_every=3,
        optimizer="muon" if kind == "muon" and hasattr(torch.optim, "Muon") else "adamw",
        precision="fp32",
        trackers=(),
    )
    policy = tiny_gpt2(dropout=0.2).float()
    reward = kind == "reward"
    model, objective = (tiny_reward_model(policy.transformer), pairwise_logistic()) if reward else (policy, nll())
    examples = some_examples(17, candidates=2)
    train(model, examples, objective, config, run, pad_id=PAD, validation=examples[:6], resume=True, quiet=True)
    save_file({name: tensor.detach().clone() for name, tensor in model.named_parameters()}, run / "final.safetensors")


def go_reinforced(kind: str, run: Path) -> None:
    """PPO: 3 iterations of 2 steps, with a kill before, in and after the writing of rollouts."""
    policy = tiny_policy()
    _, value = go_online(run, policy, iterations=3, resume=True, checkpoint_every=1)
    models = {"policy": policy.model, "value": value}
    final = {f"{name}.{k}": t.detach().clone() for name, model in models.items() for k, t in model.named_parameters()}
    save_file(final, run / "final.safetensors")


def child(work: Callable[[], None]) -> int:
    """Start `work` in a process of its own."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return process


def ended(process: int) -> bool:
    """Whether the process finished by itself; anything but that or a kill is an error."""
    status = os.waitpid(process, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "the training failed"
    return True


def die_at_disk_call(number: int) -> None:
    """Let this process kill itself in place of its `number`-th call that changes what the disk holds for good."""
    calls = [0]

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return wrapped

    for module, name in DISK_CALLS:
        setattr(module, name, deadly(getattr(module, name)))


def kill_again_and_again(
    kind: str,
    folder: Path,
    disk_calls: Iterable[int],
    random_kills: int,
    go: Callable[[str, Path], None] = go,
) -> int:
    """One training left alone and one killed at disk calls and at random moments; the caller compares them."""
    began = time.monotonic()
    assert ended(child(lambda: go(kind, folder / "whole")))
    whole_time = time.monotonic() - began
    draw, kills = random.Random(0), 0

    def go_until(number: int) -> None:
        die_at_disk_call(number)
        go(kind, folder / "killed")

    for number in disk_calls:
        kills += not ended(child(lambda number=number: go_until(number)))  # type: ignore[misc]
        if (folder / "killed" / "result.json").exists():
            # It got to its result, if not to its end; what else may be killed begins anew.
            assert ended(child(lambda: go(kind, folder / "killed")))
            (folder / "killed").rename(folder / f"killed-{number}")
    for attempt in range(random_kills):
        process = child(lambda: go(kind, folder / "killed"))
        time.sleep(draw.uniform(0.2, 0.9) * whole_time / (1 + attempt % 2))
        os.kill(process, signal.SIGKILL)
        kills += not ended(process)
    assert ended(child(lambda: go(kind, folder / "killed")))
    return kills


if __name__ == "__main__":
    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    # A checkpoint makes about 15 such calls, and the first checkpoint is written before the first step.
    kills = {
        "policy": kill_again_and_again("policy", root / "policy", [*range(1, 20), 23, 27, 31], 3),
        "reward": kill_again_and_again("reward", root / "reward", [21], 2),
        "ppo": kill_again_and_again("ppo", root / "ppo", [16, 17, 18, 19, 21, 30, 42], 2, go_reinforced),
        "muon": kill_again_and_again("muon", root / "muon", [25], 1),
    }
    print(json.dumps(kills))
