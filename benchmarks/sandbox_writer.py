"""Grade what a model writes in the sandbox, by the oracle: the shipped base model, or any folder.

    python -m benchmarks.sandbox_writer [FOLDER …] [--n 100] [--seed 5]

Test documents; greedy, and two samples a document at T = 0.7 and T = 1. Takes a minute a model on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
from statistics import fmean

from precis.recipes.steps.policies import load_writer
from precis.sampling.decoding import Decoding
from precis.sampling.run import sample
from precis.sandbox import base_model, documents, rate, reference_summary
from precis.store import Store

AXES = ("overall", "accuracy", "coverage", "coherence")
DECODINGS = {
    "greedy": (Decoding("greedy", max_new_tokens=80), 1),
    "T = 0.7": (Decoding("temperature", temperature=0.7, max_new_tokens=80), 2),
    "T = 1": (Decoding("temperature", temperature=1.0, max_new_tokens=80), 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=[str(base_model())])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    texts = list(documents(given.n, seed=given.seed, split="test"))
    print("| model | decoding |", " | ".join(AXES), "|\n|---|---|" + "---|" * len(AXES))
    for model in given.models:
        writer = load_writer(model)
        with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
            store.add_documents(texts)
            for name, (decoding, k) in DECODINGS.items():
                done = sample(store, writer.policy, writer.renderer, texts, k=k, decoding=decoding, seed=1)
                groups = store.groups(source_ids=[text.id for text in texts], maker_ids=[done.maker.id])
                own = {group.source.id: group.candidates for group in groups}
                ratings = [rate(text, candidate.text) for text in texts for candidate in own[text.id]]
                print(f"| {model} | {name} |", _row(ratings))
    ratings = [rate(text, reference_summary(text, seed=given.seed).text) for text in texts]
    print("| references | |", _row(ratings))


def _row(ratings: list) -> str:
    return " | ".join(f"{fmean(getattr(rating, axis) for rating in ratings):.2f}" for axis in AXES) + " |"


if __name__ == "__main__":
    main()
