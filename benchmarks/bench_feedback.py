"""Learning from comparisons: a reward step against TRL's RewardTrainer, PPO and RLOO against repeated rows.

    python benchmarks/bench_feedback.py            some forty minutes on two idle cores, most of it the iterations
    python benchmarks/bench_feedback.py --json     one JSON object on the last line

One document of 512 tokens, summaries of 48, a Llama of 30M parameters with random weights, float32 weights and bf16
autocast where the processor has instructions for it. A reward step is forward and backward without the optimizer: 4
ranked summaries make 6 pairs, which TRL computes as 12 rows and precis as one. TRL gets its own collator and training
step, no truncation and no gradient checkpointing (its default, which would slow it). The losses of the two on one batch
are compared in float64 first. An iteration is 8 documents × 4 summaries: sampling, rewards by a reward model, log-probs
of policy and reference, and 4 passes of updates without the optimizer; `repeated` is the same loop with one row a
summary everywhere and transformers' own `generate`. Runs alternate; times are the best of their runs. Peak memory is
what a call adds to a process of its own in which a tiny model has made the same call before, gradients included.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib.util
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from accelerate import Accelerator
from torch import nn
from transformers import LlamaForCausalLM, LlamaForSequenceClassification

from memory import added_mib
from precis.judges.reward import RewardJudge
from precis.logprobs import Implementation, sequence_logprobs
from precis.models import RewardModel
from precis.objectives import Objective, pairwise_logistic, ppo, rloo
from precis.records import Candidate, Document, Group, Preference
from precis.render import Prefix, TokenGroup
from precis.sampling.local import generate
from precis.training import OnlineConfig, TrainConfig
from precis.training.actor_critic import ActorCritic
from precis.training.batches import Example, targets_of
from precis.training.launch import asked_for
from precis.training.optimizers import trainable
from precis.training.precision import autocast_for, computes_bf16
from precis.training.rollout_source import RolloutSource
from precis.training.step import Scoring, compute_gradients
from sizes import SIZES, SMALL, Size

DOCUMENTS, ROLLOUTS, PASSES = 8, 4, 4
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
HAS_TRL = importlib.util.find_spec("trl") is not None


def random_ids(draw: random.Random, length: int, size: Size) -> tuple[int, ...]:
    return tuple(draw.randrange(3, size.vocab_size) for _ in range(length))


def ranked(summaries: int, size: Size = SMALL) -> Example:
    """One document with summaries ranked 0, 1, 2, …: every pair of them is a preference."""
    draw = random.Random(1)
    texts = tuple((*random_ids(draw, size.summary - 1, size), 2) for _ in range(summaries))
    pairs = tuple(Preference(i, j) for i, j in combinations(range(summaries), 2))
    return Example(TokenGroup("0", random_ids(draw, size.document, size), texts), pairs, tuple(range(summaries)))


def classifier(size: Size = SMALL) -> Any:
    torch.manual_seed(0)
    with DEVICE:
        return LlamaForSequenceClassification(size.llama(num_labels=1)).to(DEVICE)


def language_model(size: Size = SMALL) -> Any:
    torch.manual_seed(0)
    with DEVICE:
        return LlamaForCausalLM(size.llama(tie_word_embeddings=True)).to(DEVICE)


def our_reward_step(model: Any, example: Example, implementation: Implementation = "auto") -> Callable[[], float]:
    return our_step(RewardModel(model.model, model.score), example, pairwise_logistic(), implementation)


def our_step(
    model: nn.Module, example: Example, objective: Objective, implementation: Implementation = "auto"
) -> Callable[[], float]:
    """Forward and backward without the optimizer, in the precision that training has."""
    targets, autocast = targets_of([example]), autocast_for("auto", DEVICE)

    def step() -> float:
        with autocast:
            scored = sequence_logprobs(model, [example.tokens], pad_id=0, implementation=implementation)
        (loss,) = objective(scored, targets)
        mean = loss.total / loss.units
        mean.backward()  # type: ignore[no-untyped-call]
        model.zero_grad()
        return mean.item()

    return step


def their_reward_step(model: Any, example: Example, folder: str) -> Callable[[], float]:
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    prefix, texts = example.tokens.prefix_ids, example.tokens.continuations
    rows = [
        {"chosen_ids": [*prefix, *texts[p.chosen]], "rejected_ids": [*prefix, *texts[p.rejected]]}
        for p in example.preferences
    ]
    settings = RewardConfig(
        output_dir=folder,
        max_length=None,
        bf16=computes_bf16(DEVICE),
        gradient_checkpointing=False,
        report_to=[],
        per_device_train_batch_size=len(rows),
        use_cpu=DEVICE.type == "cpu",
        disable_tqdm=True,
    )
    trainer = RewardTrainer(
        model=model, args=settings, train_dataset=Dataset.from_list(rows), processing_class=_tokenizer(folder)
    )
    # What its own loop sets: without the first it computes in float32 whatever `bf16` says.
    model = trainer.accelerator.prepare_model(model)
    trainer.current_gradient_accumulation_steps = 1
    inputs = trainer.data_collator(rows)

    def step() -> float:
        loss = trainer.training_step(model, dict(inputs))
        model.zero_grad()
        return float(loss)

    return step


def _tokenizer(folder: str) -> Any:
    """Any tokenizer: the rows are tokens already, and only its padding id is read."""
    from precis.models import train_tokenizer

    return train_tokenizer(["the cat sat on the mat, and the dog sat on the cat"] * 3, vocab_size=270)


def parity() -> float:
    """The largest difference between the two losses on one batch of four ranked summaries, in float64."""
    example = ranked(4)
    prefix, texts = example.tokens.prefix_ids, example.tokens.continuations
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    model = classifier(replace(SMALL, **shape, num_attention_heads=4, num_key_value_heads=4)).double().eval()
    with torch.no_grad():
        scored = sequence_logprobs(RewardModel(model.model, model.score), [example.tokens], pad_id=0)
        (ours,) = pairwise_logistic()(scored, targets_of([example]))
        rows = [[*prefix, *texts[p.chosen]] for p in example.preferences]
        rows += [[*prefix, *texts[p.rejected]] for p in example.preferences]
        # What RewardTrainer.compute_loss computes, on the model that it computes it with.
        logits = model(input_ids=torch.tensor(rows, device=DEVICE)).logits.squeeze(-1)
        chosen, rejected = torch.chunk(logits, 2)
        theirs = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
    return abs(float(ours.total) / ours.units - float(theirs))


class Rendering:
    """A renderer of documents that are tokens already: their numbers, spelt out."""

    prompt_hash = tokenizer_hash = "bench"

    def prefix(self, source: Any) -> Prefix:
        return Prefix(tuple(map(int, source.text.split())))

    def continuation(self, candidate: Candidate) -> tuple[int, ...]:
        assert candidate.token_ids is not None
        return candidate.token_ids

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))


@contextlib.contextmanager
def rows_repeated() -> Iterator[None]:
    """The same loop with one row a summary, as loops are written that do not share a document's computation."""
    scoring = partial(sequence_logprobs, implementation="repeated")
    with contextlib.ExitStack() as stack:
        for module in ("precis.training.actor_critic", "precis.training.rollout_source", "precis.judges.reward"):
            stack.enter_context(mock.patch(f"{module}.sequence_logprobs", scoring))
        plain = partial(generate, implementation="plain")
        stack.enter_context(mock.patch("precis.training.rollout_source.generate", plain))
        yield


def iteration(kind: str, folder: str, size: Size = SMALL, *, tokens_per_batch: int = 8192) -> Callable[[], float]:
    """One iteration of PPO or RLOO but for the optimizer's own step."""
    policy = language_model(size)
    judged = classifier(size)
    renderer: Any = Rendering()
    reward = RewardJudge(RewardModel(judged.model, judged.score), renderer, pad_id=0, name="bench")
    value = copy.deepcopy(reward.model) if kind == "ppo" else None
    online = OnlineConfig(
        iterations=1, documents=DOCUMENTS, k=ROLLOUTS, max_new_tokens=size.summary, passes=PASSES, temperature=1.0
    )
    objective = ppo() if kind == "ppo" else rloo()
    options = {"pad_id": 0, "temperature": 1.0, **asked_for(objective)}
    scorer, autocast = ActorCritic(policy, value), autocast_for("auto", DEVICE)
    how = Scoring(scorer, options, objective, autocast, Accelerator(cpu=DEVICE.type == "cpu"), DEVICE)
    draw = random.Random(3)
    groups = [Group(Document(" ".join(map(str, random_ids(draw, size.document, size)))), ()) for _ in range(DOCUMENTS)]
    tokenizer = SimpleNamespace(eos_token_id=2, sep_token_id=None, pad_token_id=0)
    writer: Any = SimpleNamespace(model=policy, pad_id=0, eos_id=2, fingerprint="bench", path=None, tokenizer=tokenizer)
    parameters = trainable(scorer)
    config = TrainConfig(tokens_per_batch=tokens_per_batch)

    def one() -> float:
        # Of its own: rollouts that stand in a folder, another way's too, are not sampled and scored again.
        own = Path(tempfile.mkdtemp(dir=folder))
        source = RolloutSource(writer, renderer, groups, reward, online, config, how, own, quiet=True)
        epoch = source.epoch(0)
        for step in epoch.steps:
            compute_gradients(how, step, parameters)
            scorer.zero_grad()
        return epoch.metrics["length"]

    return one


# name → the ways, ours first; each makes what is timed.
Ways = dict[str, tuple[Callable[[str], Callable[[], float]], bool]]


def cases(size: Size = SMALL) -> dict[str, Ways]:
    found: dict[str, Ways] = {}
    if HAS_TRL:
        for name, count in (("reward step, 4 ranked summaries (6 pairs)", 4), ("reward step, one pair", 2)):
            found[name] = {
                "precis": (lambda folder, n=count: our_reward_step(classifier(size), ranked(n, size)), False),
                "TRL": (lambda folder, n=count: their_reward_step(classifier(size), ranked(n, size), folder), False),
            }
    for kind in ("ppo", "rloo"):
        found[f"{kind} iteration, {ROLLOUTS} summaries a document"] = {
            "precis": (partial(iteration, kind, size=size), False),
            "repeated": (partial(iteration, kind, size=size), True),
        }
    return found


def run_way(call: Callable[[], float], repeated: bool) -> float:
    with rows_repeated() if repeated else contextlib.nullcontext():
        start = time.perf_counter()
        call()
        return time.perf_counter() - start


def compare(name: str, ways: Ways, repeats: int, folder: str) -> dict[str, Any]:
    calls = {way: make(folder) for way, (make, _) in ways.items()}
    for way, call in calls.items():
        run_way(call, ways[way][1])
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, call in calls.items():
            seconds[way].append(run_way(call, ways[way][1]))
    best = {way: min(times) for way, times in seconds.items()}
    return {
        "work": name,
        "seconds": best,
        "median_seconds": {way: statistics.median(times) for way, times in seconds.items()},
        "ratio": {way: best[way] / best["precis"] for way in ways if way != "precis"},
        "peak_mib": {way: peak_memory(name, way) for way in ways},
    }


def peak_memory(name: str, way: str) -> float:
    """MiB that one call needs beyond what its process held before, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--memory", name, way]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def print_peak_memory(name: str, way: str, folder: str) -> None:
    # The libraries' own buffers are not the call's: some 100 MiB, which a tiny model brings in as well. Gradients are.
    for size in (SIZES["tiny"], SMALL):
        make, repeated = cases(size)[name][way]
        call = make(folder)
        added = added_mib(partial(run_way, call, repeated))
    print(added)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.memory:
            print_peak_memory(*options.memory, folder)
            return
        device = torch.cuda.get_device_name() if DEVICE.type == "cuda" else platform.processor() or platform.machine()
        machine = f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
        precision = "bf16 autocast" if computes_bf16(DEVICE) else "float32"
        report: dict[str, Any] = {"machine": machine, "precision": precision, "parity": parity(), "results": []}
        print(machine, precision)
        print(
            f"reward loss, precis and TRL's on one batch in float64: they differ by {report['parity']:.1e}", flush=True
        )
        if not HAS_TRL:
            print("TRL is not installed (pip install -e '.[trl]'): the reward steps are left out")
        for name, ways in cases().items():
            if options.only not in name:
                continue
            result = compare(name, ways, options.repeats, folder)
            report["results"].append(result)
            print(f"\n{name}")
            for way, seconds in result["seconds"].items():
                ratio = f"{result['ratio'][way]:6.2f}×" if way in result["ratio"] else " " * 7
                print(f"  {way:9s} {seconds:7.3f} s {ratio}   {result['peak_mib'][way]:7.0f} MiB", flush=True)
        if options.json:
            print(json.dumps(report))


if __name__ == "__main__":
    main()
