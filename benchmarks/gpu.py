"""The other benchmarks' ratios at 1B parameters on a GPU, in one command that can be stopped and called again.

    python -m benchmarks.gpu --out FOLDER                                   on the GPU; on the CPU if there is none
    python -m benchmarks.gpu --out FOLDER --size tiny --documents 64 96     a check of the command, a minute on a CPU

Weights are random. Steps and iterations have float32 weights and bf16 autocast, as training has, and no optimizer;
scoring and sampling have bf16 weights. Every way is called twice to warm up, then until ten calls or `--seconds` are
over, at least three; the device is waited for before and after each. Peak memory is the most that a call allocated on
the GPU beyond what stood before it (a step's gradients are in it), over all timed calls.

`FOLDER/gpu.json` is written after every way of every case, and `FOLDER/gpu.md` with it; a second call goes on with what
is missing there for this machine and these versions. Nothing new begins once `--minutes` are over. A way that fails,
or does not fit in memory, is recorded as that and not tried again, unless with `--retry`.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

# The other benchmarks are scripts: they find one another beside themselves.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_feedback import DEVICE
from gpu_cases import Case, cases, differences
from precis.training.precision import computes_bf16
from sizes import SIZES

OUT_OF_MEMORY = "out of memory"
MOST_CALLS, FEWEST_CALLS = 10, 3
GPU = DEVICE.type == "cuda"


def machine() -> str:
    device = torch.cuda.get_device_name() if GPU else platform.processor() or platform.machine()
    precision = "bf16" if computes_bf16(DEVICE) else "float32"
    return f"{device}, torch {torch.__version__}, transformers {transformers.__version__}, {precision}"


class Results:
    """What is measured so far, in one file, which is whole at every moment."""

    def __init__(self, folder: Path, size: str):
        self.folder, self.size, self.machine = folder, size, machine()
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "gpu.json"
        self.rows: list[dict[str, Any]] = json.loads(self.path.read_text())["rows"] if self.path.exists() else []

    def find(self, document: int, case: str, way: str) -> dict[str, Any] | None:
        key = self._key(document, case, way)
        return next((row for row in self.rows if key.items() <= row.items()), None)

    def add(self, document: int, case: str, way: str, **found: Any) -> None:
        old = self.find(document, case, way)
        self.rows = [row for row in self.rows if row is not old]
        self.rows.append(self._key(document, case, way) | found)
        self.save()

    def save(self) -> None:
        for path, text in (
            (self.path, json.dumps({"rows": self.rows}, indent=1)),
            (self.folder / "gpu.md", self.table()),
        ):
            half = path.with_name(path.name + ".half")
            half.write_text(text + "\n")
            half.replace(path)

    def _key(self, document: int, case: str, way: str) -> dict[str, Any]:
        return {"machine": self.machine, "size": self.size, "document": document, "case": case, "way": way}

    def table(self) -> str:
        """Markdown: for every length of document a table with a row for each way that ours is compared with."""
        mine = [row for row in self.rows if row["machine"] == self.machine and row["size"] == self.size]
        lines = [self.machine]
        for document in sorted({row["document"] for row in mine}):
            lines += ["", f"Documents of {document:,} tokens, summaries of {SIZES[self.size].summary}.", ""]
            lines += ["| work | against | precis | other | ratio | tokens/s | peak memory |", "|---" * 7 + "|"]
            here = [row for row in mine if row["document"] == document]
            for case in dict.fromkeys(row["case"] for row in here):
                ways = {row["way"]: row for row in here if row["case"] == case}
                ours = ways.pop("precis", {})
                lines += [_line(case, ours, way, other) for way, other in ways.items()]
        return "\n".join(lines)


def _line(case: str, ours: dict[str, Any], way: str, other: dict[str, Any]) -> str:
    pair, ratio = (ours, other), "—"
    if all("seconds" in row for row in pair):
        ratio = f"**{statistics.median(other['seconds']) / statistics.median(ours['seconds']):.2f}×**"
    speed = " / ".join(
        f"{row['tokens'] / statistics.median(row['seconds']):,.0f}" if "seconds" in row else "—" for row in pair
    )
    peaks = [row.get("peak_bytes") for row in pair]
    memory = " / ".join("—" if peak is None else f"{peak / 2**20:,.0f}" for peak in peaks)
    memory += " MiB" * any(peak is not None for peak in peaks)
    return f"| {case} | {way} | {_seconds(ours)} | {_seconds(other)} | {ratio} | {speed} | {memory} |"


def _seconds(row: dict[str, Any]) -> str:
    """Median and range."""
    if "seconds" not in row:
        return "failed" if row.get("error", OUT_OF_MEMORY) != OUT_OF_MEMORY else row.get("error", "—")
    times = row["seconds"]
    return f"{statistics.median(times):.4g} s ({min(times):.4g}–{max(times):.4g})"


def measure(call: Callable[[], object], seconds: float) -> dict[str, Any]:
    """The seconds of each call, and the most bytes that one allocated; None for those where they cannot be told."""
    for _ in range(2):
        call()
    times: list[float] = []
    peaks: list[int] = []
    while len(times) < FEWEST_CALLS or (len(times) < MOST_CALLS and sum(times) < seconds):
        held = 0
        if GPU:
            torch.cuda.synchronize()
            held = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        call()
        if GPU:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        if GPU:
            peaks.append(torch.cuda.max_memory_allocated() - held)
    return {"seconds": times, "peak_bytes": max(peaks, default=None)}


def run(case: Case, document: int, results: Results, options: argparse.Namespace, deadline: float) -> bool:
    """Measure the ways that are missing; whether all are there afterwards."""
    missing = [way for way in case.ways if _wanted(results.find(document, case.name, way), options.retry)]
    if not missing or time.monotonic() > deadline:
        return not missing
    try:
        calls = case.make()
    except Exception as error:
        for way in missing:
            results.add(document, case.name, way, tokens=case.tokens, error=_told(error))
        return True
    for way in missing:
        if time.monotonic() > deadline:
            return False
        try:
            found = measure(calls[way], options.seconds)
        except Exception as error:
            found = {"error": _told(error)}
        results.add(document, case.name, way, tokens=case.tokens, **found)
        told = found.get("error") or f"{statistics.median(found['seconds']):.4g} s"
        print(f"{document:,} tokens, {case.name}, {way}: {told}", flush=True)
        _tidy()
    return True


def _wanted(row: dict[str, Any] | None, retry: bool) -> bool:
    return row is None or (retry and "error" in row)


def _told(error: Exception) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        return OUT_OF_MEMORY
    traceback.print_exc()
    return f"{type(error).__name__}: {error}"


def _tidy() -> None:
    """A failed call's tensors are held by frames that refer to one another."""
    gc.collect()
    if GPU:
        torch.cuda.empty_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="1b")
    parser.add_argument("--documents", type=int, nargs="+", default=[512, 2048], help="their lengths in tokens")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--seconds", type=float, default=6.0, help="of timed calls of one way, at most ten calls")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--retry", action="store_true", help="what failed before")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    results = Results(options.out, options.size)
    print(results.machine, flush=True)
    for name, apart in differences().items():
        print(f"{name}, in float64: they differ by {apart:.1e}", flush=True)
    unfinished = 0
    with tempfile.TemporaryDirectory() as folder:
        for document in options.documents:
            # A folder for each length: the iterations of one would read the rollouts of another.
            for case in cases(replace(SIZES[options.size], document=document), f"{folder}/{document}"):
                if options.only in case.name:
                    unfinished += not run(case, document, results, options, deadline)
                    _tidy()
    results.save()
    print(f"\n{results.table()}\n")
    if unfinished:
        print(f"{unfinished} cases are not finished: the same command goes on with them")


if __name__ == "__main__":
    main()
