"""One training alone and on two processes, set up as torchrun sets them up: `training_processes.py FOLDER`.

The parent never computes; it forks, which costs no second import of torch.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from precis.errors import UserError
from precis.objectives import nll, pairwise_logistic, weighted
from precis.training import TrainConfig
from precis.training.train import train
from tiny import tiny_policy
from training_toys import PAD, go_online, some_examples, tiny_gpt2


def go(run: Path) -> None:
    """10 groups in batches of 2 and steps of 4 batches: the second step of an epoch has a single batch."""
    config = TrainConfig(
        learning_rate=5e-3,
        eps=1e-3,
        groups_per_batch=2,
        accumulation=4,
        epochs=3,
        ema=0.5,
        precision="fp32",
        trackers=(),
        evaluate_every=2,
    )
    # A different model on each process, which must not matter.
    rank = int(os.environ["RANK"])
    model = tiny_gpt2(seed=rank)
    sums = pairwise_logistic(lambda s, t: s.logps_BKT.sum(-1), needs=("logps",), name="sums")
    objective = weighted((1.0, nll()), (0.5, sums))
    examples = some_examples(10, candidates=2)
    options = {"pad_id": PAD, "validation": examples[:5], "quiet": True, "measure": lambda step: {"constant": 1.0}}
    train(model, examples, objective, config, run, **options)  # type: ignore[arg-type]
    final = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    save_file(final, run / f"final-{rank}.safetensors")


def go_reinforced(run: Path) -> None:
    """PPO in float64 on 3 documents: one process has two of them, the other one."""
    rank = int(os.environ["RANK"])
    policy = tiny_policy("gpt2", seed=rank, dtype=torch.float64)
    _, value = go_online(run, policy, eps=1e-3)
    final = {
        f"{name}.{key}": tensor.detach().clone()
        for name, model in (("policy", policy.model), ("value", value))
        for key, tensor in model.named_parameters()
    }
    save_file(final, run / f"final-{rank}.safetensors")


def launch(work: Callable[[Path], None], run: Path, processes: int) -> list[str]:
    """Fork the processes and wait for them; how each ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children, ends = [], {0: "finished", 1: "failed", 2: "user error"}
    for rank in range(processes):
        child = os.fork()
        if child == 0:
            where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
            os.environ.update(where, RANK=str(rank), LOCAL_RANK=str(rank), ACCELERATE_USE_CPU="true")
            code = 1
            try:
                work(run)
                code = 0
            except UserError:
                code = 2
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    return [ends[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] for child in children]


if __name__ == "__main__":
    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    # The third begins where a training has ended: the main process sees it, and all processes must stop.
    ends = [launch(go, root / name, count) for name, count in (("two", 2), ("one", 1), ("two", 2))]
    ends += [launch(go_reinforced, root / f"reinforced-{name}", count) for name, count in (("two", 2), ("one", 1))]
    print(json.dumps(ends))
