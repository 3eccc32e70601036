"""Sampling 16 summaries of one document, against transformers' `generate(num_return_sequences=16)`.

    python benchmarks/bench_sampling.py                   two to three minutes on two idle cores
    python benchmarks/bench_sampling.py --json            one JSON object on the last line
    python benchmarks/bench_sampling.py --only diverse    diverse beam search against plain, of 16 beams each

Model: a Llama of 30M parameters with random weights, in bfloat16 where the processor has instructions for it. Both
sides use the same model, dtype, temperature 1 and exactly 48 new tokens a sample (the end token is barred until
then). `generate` gets its key-value cache, no top-k filter, inference mode, and whichever of SDPA and eager
attention is faster for it here. Runs alternate; times are medians; ratios compare the two sides of one machine in
one run. Peak memory is the maximal resident size of a process of its own, less that of the process before sampling.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import BartConfig, BartForConditionalGeneration, LlamaForCausalLM

from precis.sampling.attention import decoding_attention
from precis.sampling.decoding import Decoding
from precis.sampling.local import generate
from precis.sampling.session import Session
from precis.training.precision import computes_bf16
from sizes import SMALL, Size

DOCUMENT, SUMMARY, SAMPLES = SMALL.document, SMALL.summary, 16


def policy(kind: str, size: Size = SMALL) -> Any:
    """A Llama of this size, or a BART (4 + 4 layers)."""
    torch.manual_seed(0)
    model: Any
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "llama":
        with device:
            model = LlamaForCausalLM(size.llama(tie_word_embeddings=True))
    else:
        common: dict[str, Any] = {"vocab_size": SMALL.vocab_size}
        common |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        half = {"layers": 4, "attention_heads": 8, "ffn_dim": 2048}
        shape = {f"{side}_{name}": number for side in ("encoder", "decoder") for name, number in half.items()}
        model = BartForConditionalGeneration(
            BartConfig(**common, **shape, d_model=512, decoder_start_token_id=2, forced_eos_token_id=None)
        )
    model = model.to(device, torch.bfloat16 if computes_bf16(device) else torch.float32).eval()
    return SimpleNamespace(model=model, pad_id=0, eos_id=2)


def documents(lengths: list[int], size: Size = SMALL) -> list[list[int]]:
    torch.manual_seed(1)
    return [torch.randint(3, size.vocab_size, (length,)).tolist() for length in lengths]


def ours(policy: Any, prefixes: list[list[int]], k: int, summary: int = SUMMARY) -> int:
    exactly = Decoding("temperature", max_new_tokens=summary, min_new_tokens=summary)
    samples = generate(policy, prefixes, k=k, decoding=exactly)
    return sum(len(sample.token_ids) for group in samples for sample in group)


def theirs(policy: Any, prefixes: list[list[int]], k: int, attention: str, summary: int = SUMMARY) -> int:
    model = policy.model
    before = model.config._attn_implementation
    model.set_attn_implementation(attention)
    width = max(map(len, prefixes))
    ids = torch.tensor([[0] * (width - len(ids)) + ids for ids in prefixes], device=model.device)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prefixes], device=model.device)
    with torch.inference_mode():
        out = model.generate(
            ids, attention_mask=mask, num_return_sequences=k, do_sample=True, top_k=0, use_cache=True,
            max_new_tokens=summary, min_new_tokens=summary,
        )  # fmt: skip
    model.set_attn_implementation(before)
    assert len(out) == k * len(prefixes)
    return summary * len(out)


def seconds(call: Callable[[], int]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    tokens = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elapsed = time.perf_counter() - start
    assert tokens > 0
    return elapsed


def compare(
    name: str, policy: Any, prefixes: list[list[int]], k: int, repeats: int, attention: str | None = None
) -> dict[str, Any]:
    """Alternate both sides `repeats` times; `generate` in the attention that its first calls show to be faster."""
    ours(policy, [prefixes[0][:64]], k)
    if attention is None:
        first = {name: seconds(lambda name=name: theirs(policy, prefixes, k, name)) for name in ("sdpa", "eager")}  # type: ignore[misc]
        attention = min(first, key=lambda name: first[name])
    mine, others = [], []
    for _ in range(repeats):
        mine.append(seconds(lambda: ours(policy, prefixes, k)))
        others.append(seconds(lambda: theirs(policy, prefixes, k, attention)))
    tokens = k * len(prefixes) * SUMMARY
    ratios = [theirs / ours for ours, theirs in zip(mine, others)]
    return {
        "work": name,
        "precis_seconds": statistics.median(mine),
        "generate_seconds": statistics.median(others),
        "generate_attention": attention,
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "precis_tokens_per_second": tokens / statistics.median(mine),
        "generate_tokens_per_second": tokens / statistics.median(others),
    }


def compare_searches(name: str, policy: Any, prefixes: list[list[int]], groups: int, repeats: int) -> dict[str, Any]:
    """Diverse beam search in `groups` groups, and plain beam search of as many beams, alternating `repeats` times."""
    exactly: dict[str, Any] = {"num_beams": SAMPLES, "max_new_tokens": SUMMARY, "min_new_tokens": SUMMARY}
    hows = {
        "diverse": Decoding("diverse-beam", num_groups=groups, diversity_penalty=1.0, **exactly),
        "plain": Decoding("beam", **exactly),
    }
    times: dict[str, list[float]] = {kind: [] for kind in hows}
    for how in hows.values():  # the first call of these shapes prepares kernels
        generate(policy, prefixes, k=SAMPLES, decoding=how)
    for _ in range(repeats):
        for kind, how in hows.items():
            times[kind].append(seconds(lambda how=how: len(generate(policy, prefixes, k=SAMPLES, decoding=how))))  # type: ignore[misc]
    ratios = [diverse / plain for diverse, plain in zip(times["diverse"], times["plain"])]
    return {
        "work": name,
        "diverse_seconds": statistics.median(times["diverse"]),
        "plain_seconds": statistics.median(times["plain"]),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def diverse_searches(llama: Any, repeats: int) -> list[dict[str, Any]]:
    """The ratio is diverse / plain: what keeping the groups apart costs."""
    four = [DOCUMENT - 64 * place for place in range(4)]
    rows = [
        compare_searches("16 beams in 16 groups, 1 document", llama, documents([DOCUMENT]), 16, repeats),
        compare_searches("16 beams in 4 groups, 4 documents", llama, documents(four), 4, repeats),
    ]
    print(f"{'beam search':36} {'diverse':>8} {'plain':>9} {'ratio':>7}")
    for row in rows:
        print(
            f"{row['work']:36} {row['diverse_seconds']:7.2f}s {row['plain_seconds']:8.2f}s {row['ratio']:6.2f}x  "
            f"({row['ratio_range'][0]:.2f}-{row['ratio_range'][1]:.2f}x)"
        )
    return rows


def peak_memory(side: str) -> float:
    """MiB that sampling adds to the maximal resident size, in a process of its own."""
    command = [sys.executable, __file__, "--measure-memory", side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def measure_memory(side: str) -> None:
    """Linux: forget the peak that building the model left, sample, and read the new one."""
    llama, prefixes = policy("llama"), documents([DOCUMENT])
    with torch.no_grad():  # the libraries' own buffers are not sampling's
        llama.model(torch.tensor([prefixes[0][:32]], device=llama.model.device))
    Path("/proc/self/clear_refs").write_text("5")
    before = status_mib("VmRSS")
    if side == "precis":
        ours(llama, prefixes, SAMPLES)
    else:
        theirs(llama, prefixes, SAMPLES, side)
    print(status_mib("VmHWM") - before)


def status_mib(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def cache_sizes() -> dict[str, float]:
    """MiB of keys and values: ours, and with one copy of the document per sample."""
    llama = policy("llama")
    session = Session(llama.model, documents([DOCUMENT]), [0] * SAMPLES, SUMMARY, pad_id=0, start_id=None)
    with torch.no_grad(), decoding_attention(llama.model, session.sharing):
        session.step(session.first_tokens_N)
    shared = sum(layer.keys_BJPD.nbytes + layer.values_BJPD.nbytes for layer in session.sharing.shared)
    own = sum(t.nbytes for t in (*session.sharing.own.keys, *session.sharing.own.values) if t is not None)
    return {"document": shared / 2**20, "own": own / 2**20, "document_expanded": SAMPLES * shared / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=["samples", "diverse"], help="one of the two measurements")
    parser.add_argument("--measure-memory", choices=["precis", "sdpa", "eager"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure_memory:
        measure_memory(options.measure_memory)
        return
    llama = policy("llama")
    millions = sum(parameter.numel() for parameter in llama.model.parameters()) / 1e6
    print(f"Llama {millions:.1f}M, {llama.model.dtype}, {torch.get_num_threads()} threads, {llama.model.device}")
    found: dict[str, Any] = {}
    if options.only != "diverse":
        found |= sampling(llama, options.repeats)
    if options.only != "samples":
        found["diverse"] = diverse_searches(llama, options.repeats)
    if options.json:
        print(json.dumps(found))


def sampling(llama: Any, repeats: int) -> dict[str, Any]:
    """Samples of one document, of several, and by an encoder-decoder, with the memory that they take."""
    spread = [DOCUMENT - 32 * place for place in range(8)]
    few = max(1, repeats // 3)
    one = compare("16 samples of one document", llama, documents([DOCUMENT]), SAMPLES, repeats)
    chosen = one["generate_attention"]
    rows = [
        one,
        compare("8 documents of 288-512, 8 samples", llama, documents(spread), 8, few, chosen),
        compare("16 samples, encoder-decoder", policy("bart"), documents([DOCUMENT]), SAMPLES, repeats),
    ]
    print(f"{'work':36} {'precis':>8} {'generate':>9} {'ratio':>7}  {'tokens/s':>15}")
    for row in rows:
        print(
            f"{row['work']:36} {row['precis_seconds']:7.2f}s {row['generate_seconds']:8.2f}s {row['ratio']:6.1f}x  "
            f"{row['precis_tokens_per_second']:7,.0f} / {row['generate_tokens_per_second']:,.0f}"
            f"   ({row['generate_attention']}; {row['ratio_range'][0]:.1f}-{row['ratio_range'][1]:.1f}x)"
        )
    caches = cache_sizes()
    print(
        f"keys and values: document {caches['document']:.1f} MiB once (expanded: {caches['document_expanded']:.1f}), "
        f"the samples' own {caches['own']:.1f} MiB"
    )
    memory = {}
    if Path("/proc/self/clear_refs").exists():
        memory = {side: peak_memory(side) for side in ("precis", chosen)}
        print("peak memory added by sampling: " + ", ".join(f"{side} {mib:,.0f} MiB" for side, mib in memory.items()))
    return {"rows": rows, "cache_mib": caches, "peak_memory_mib": memory}


if __name__ == "__main__":
    main()
