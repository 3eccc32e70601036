"""Scoring and training on 16 candidates of one document, against one row per candidate and against BRIO's way.

    python benchmarks/bench_scoring.py             about five minutes on two idle cores
    python benchmarks/bench_scoring.py --json      one JSON object on the last line
    python benchmarks/bench_scoring.py --clock cpu   processor time: for a machine that others use too (one thread)

Every side gets the same model with random weights, the same groups and the same LM head (on completion positions
only, in chunks), and only the supervised batch needs padding, so that what differs is how often the document is
computed. `repeated` is one row per candidate in one batch, with causal attention and no mask; `brio` encodes once and
repeats the encoder's states for every candidate, as BRIO's and SumLLM's code do. A step is forward and backward
without the optimizer. Runs alternate; times are the best of their runs, since what disturbs a run only makes it
longer, and ratios are of those; `--json` has the medians too. `limit` is what the tokens alone would allow:
N(P+R)/(P+NR). The GPTScore line is the whole judge, from texts to scores, tokenizing included. Peak memory is the
maximal resident size of a process of its own, less that before the call.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from memory import added_mib
from precis.judges.gptscore import GPTScoreJudge
from precis.judges.policy_likelihood import PolicyLikelihood
from precis.logprobs import sequence_logprobs
from precis.logprobs.lm_head import decode, encode, lm_head_of, token_scores
from precis.models import Policy
from precis.records import Candidate, Document, Group, Maker
from precis.render import TokenGroup
from precis.training.precision import computes_bf16
from sizes import SMALL, Size

CANDIDATES = 16
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def make_model(kind: str, size: Size = SMALL) -> Any:
    """A Llama of this size, or a BART of 49M parameters (6 + 6 layers)."""
    torch.manual_seed(0)
    model: Any
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "llama":
        with device:
            model = LlamaForCausalLM(size.llama(tie_word_embeddings=True))
    else:
        half = {"layers": 6, "attention_heads": 8, "ffn_dim": 2048}
        halves = {f"{side}_{name}": number for side in ("encoder", "decoder") for name, number in half.items()}
        ids = {"vocab_size": SMALL.vocab_size, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        config = BartConfig(**ids, **halves, d_model=512, decoder_start_token_id=2, dropout=0.0)
        model = BartForConditionalGeneration(config)
    return model.to(device, torch.bfloat16 if computes_bf16(device) else torch.float32).eval()


def make_groups(lengths: Sequence[tuple[int, Sequence[int]]], size: Size = SMALL) -> list[TokenGroup]:
    draw = random.Random(1)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(draw.randrange(3, size.vocab_size) for _ in range(length))

    return [
        TokenGroup(str(i), ids(prefix), tuple(map(ids, summaries))) for i, (prefix, summaries) in enumerate(lengths)
    ]


def one_document(candidates: int = CANDIDATES, size: Size = SMALL) -> list[TokenGroup]:
    return make_groups([(size.document, [size.summary] * candidates)], size)


def supervised_batch() -> list[TokenGroup]:
    """32 documents of 80 to 400 tokens with one summary of 20 to 60 tokens each."""
    draw = random.Random(2)
    return make_groups([(draw.randint(80, 400), [draw.randint(20, 60)]) for _ in range(32)])


def one_document_of_words() -> list[Group]:
    """A document and its candidates as texts, in which every word is a token."""
    draw = random.Random(1)

    def words(count: int) -> str:
        return " ".join(f"w{draw.randrange(3, SMALL.vocab_size)}" for _ in range(count))

    document = Document(words(SMALL.document))
    maker = Maker("policy", "benchmark")
    return [Group(document, tuple(Candidate(document.id, words(SMALL.summary), maker, k) for k in range(CANDIDATES)))]


@cache
def tokenizer_of_words() -> Any:
    vocabulary = {"<pad>": 0, "<unk>": 1, "<eos>": 2} | {f"w{number}": number for number in range(3, SMALL.vocab_size)}
    backend: Any = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>")


def gptscore(model: Any, groups: Sequence[Group], way: str) -> PolicyLikelihood:
    """Scores the groups; what did it knows how many tokens it took."""
    policy = Policy(model, tokenizer_of_words(), "benchmark")
    likelihood = PolicyLikelihood(policy, implementation=way)  # type: ignore[arg-type]
    GPTScoreJudge(likelihood).judge(groups)
    return likelihood


def logps(model: Any, groups: list[TokenGroup], way: str) -> Tensor:
    if way == "brio":
        return _brio(model, groups)
    return sequence_logprobs(model, groups, pad_id=0, implementation=way).logps_BKT  # type: ignore[arg-type]


def _brio(model: Any, groups: list[TokenGroup]) -> Tensor:
    """One document: encode once, expand the encoder's states to every candidate's row (BRIO's modeling_bart.py)."""
    (group,) = groups
    head = lm_head_of(model)
    assert head is not None
    encoded = encode(model, torch.tensor([group.prefix_ids], device=model.device), None)
    targets = torch.tensor(group.continuations, device=model.device)
    start = torch.full_like(targets[:, :1], model.config.decoder_start_token_id)
    hidden = decode(
        model, torch.cat([start, targets[:, :-1]], dim=1), encoded.expand(len(targets), -1, -1).contiguous(), None
    )
    return token_scores(head, hidden.flatten(0, 1), targets.flatten(), vocabulary=SMALL.vocab_size).logps_N


def once(model: Any, groups: Any, way: str, *, train: bool) -> None:
    if isinstance(groups[0], Group):
        gptscore(model, groups, way)
    elif train:
        logps(model, groups, way).sum().backward()  # type: ignore[no-untyped-call]
        model.zero_grad()
    else:
        with torch.no_grad():
            logps(model, groups, way)


# name → (model, groups, forward and backward?, the ways to compare with `packed`)
CASES: dict[str, tuple[str, Callable[[], Any], bool, tuple[str, ...]]] = {
    "score 16 candidates": ("llama", one_document, False, ("repeated", "cached")),
    "gptscore, 16 candidates": ("llama", one_document_of_words, False, ("repeated", "cached")),
    "step on 16 candidates": ("llama", one_document, True, ("repeated",)),
    "step on 4 candidates": ("llama", lambda: one_document(4), True, ("repeated",)),
    "step on a pair": ("llama", lambda: one_document(2), True, ("repeated",)),
    "supervised step, 32 documents": ("llama", supervised_batch, True, ("repeated",)),
    "encoder-decoder: score 16 candidates": ("bart", one_document, False, ("repeated", "brio")),
    "encoder-decoder: step on 16 candidates": ("bart", one_document, True, ("repeated", "brio")),
}


def compare(name: str, repeats: int, clock: Callable[[], float]) -> dict[str, Any]:
    kind, make, train, others = CASES[name]
    model, groups = make_model(kind), make()
    ways = ("packed", *others)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways:
        once(model, groups, way, train=train)
    for _ in range(repeats):
        for way in ways:
            start = clock()
            once(model, groups, way, train=train)
            seconds[way].append(clock() - start)
    with torch.no_grad():
        words = isinstance(groups[0], Group)
        counts = gptscore(model, groups, "packed") if words else sequence_logprobs(model, groups, pad_id=0)
    memory = {way: peak_memory(name, way) for way in ways}
    return {
        "work": name,
        "tokens": {"packed": counts.tokens_forwarded, "repeated": counts.tokens_repeated},
        "limit": counts.tokens_repeated / counts.tokens_forwarded,
        "seconds": {way: min(times) for way, times in seconds.items()},
        "median_seconds": {way: statistics.median(times) for way, times in seconds.items()},
        "ratio": {way: min(seconds[way]) / min(seconds["packed"]) for way in others},
        "peak_mib": memory,
    }


def peak_memory(name: str, way: str) -> float:
    """MiB that one call needs beyond what its process held before, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--memory", name, way]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def print_peak_memory(name: str, way: str) -> None:
    kind, make, train, _ = CASES[name]
    model, groups = make_model(kind), make()
    # What every way needs once: kernels, the check of the LM head, the gradients' own room.
    once(model, make_groups([(8, [4, 4])]) if way != "brio" else make_groups([(8, [4])]), way, train=train)
    print(added_mib(lambda: once(model, groups, way, train=train)))


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory:
        print_peak_memory(*options.memory)
        return {}
    dtype = make_model("llama").dtype
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    report: dict[str, Any] = {
        "machine": f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {options.clock} time",
        "dtype": str(dtype).removeprefix("torch."),
        "results": [],
    }
    print(report["machine"], report["dtype"], flush=True)
    for name in CASES:
        if options.only not in name:
            continue
        result = compare(name, options.repeats, CLOCKS[options.clock])
        report["results"].append(result)
        print(f"\n{name}: {result['tokens']['packed']:,} tokens for {result['tokens']['repeated']:,}", end="")
        print(f" (ratio {result['limit']:.1f})")
        for way, seconds in result["seconds"].items():
            ratio = f"{result['ratio'][way]:6.2f}×" if way in result["ratio"] else " " * 7
            print(f"  {way:9s} {seconds:7.3f} s {ratio}   {result['peak_mib'][way]:7.0f} MiB", flush=True)
    if options.json:
        print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
