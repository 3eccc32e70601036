"""Measure the sandbox: sizes, words, the oracle's reading, its ratings of honest and dishonest summaries, annotators.

    python benchmarks/sandbox_properties.py > docs/results/sandbox.md

Options: `--n` documents for each measure (600), `--seed` (0). Everything is on the test split. Takes about a minute.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from precis.records import Candidate, Document, Maker
from precis.sandbox import (
    SECOND_JUDGE,
    SPLITS,
    ComparerSettings,
    RankerSettings,
    cheats,
    compare,
    critique,
    documents,
    rank,
    rate,
    read_facts,
    reference_summary,
    refine,
)
from precis.sandbox.language import families
from precis.sandbox.story import KINDS, story_of
from precis.sandbox.summaries import LEVELS, summary_at

TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print("|", " | ".join(head), "|")
    print("|", " | ".join("---" for _ in head), "|")
    for row in rows:
        print("|", " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row), "|")
    print()


def spread(values: Sequence[float]) -> str:
    low, p5, median, p95, high = np.quantile(values, [0, 0.05, 0.5, 0.95, 1])
    return f"{low:.0f} · {p5:.0f} · **{median:.0f}** · {p95:.0f} · {high:.0f}"


def sizes(n: int, seed: int) -> None:
    started = time.perf_counter()
    sample = list(documents(n * 5, seed=seed))
    rate_of_writing = len(sample) / (time.perf_counter() - started)
    tokens = [TOKEN.findall(document.text) for document in sample]
    words = {word.lower() for line in tokens for word in line if word[0].isalpha()}
    print(
        f"## Documents\n\n{len(sample)} documents (seed {seed}, train, mixed), {len(families())} scenario families.\n"
    )
    rows = [("tokens (words and punctuation): min · 5 % · median · 95 % · max", spread([len(line) for line in tokens]))]
    inside = np.mean([80 <= len(line) <= 400 for line in tokens])
    rows += [("documents of 80–400 tokens", f"{100 * inside:.1f} %"), ("distinct word types", f"{len(words):,}")]
    rows += [("conversations", f"{100 * np.mean([d.meta['form'] == 'conversation' for d in sample]):.0f} %")]
    rows += [("facts in a document, mean", f"{np.mean([len(d.meta['facts']) for d in sample]):.1f}")]
    rows += [("distinct texts", f"{len({d.id for d in sample}):,} of {len(sample):,}")]
    keys = {split: {d.meta["key"] for d in documents(n, seed=seed, split=split)} for split in SPLITS}
    shared = sum(len(keys[a] & keys[b]) for a, b in combinations(SPLITS, 2))
    rows += [("combinations of facts shared by two splits", str(shared))]
    rows += [("documents a second (this machine, this run)", f"{rate_of_writing:,.0f}")]
    table(["measure", "value"], rows)


def summaries(sample: Sequence[Document]) -> None:
    print(f"## Summaries by level\n\n{len(sample)} documents; words: min · 5 % · median · 95 % · max; mean ratings.\n")
    rows = []
    for level in LEVELS:
        texts = [summary_at(document, level, seed=0).text for document in sample]
        found = [rate(document, text) for document, text in zip(sample, texts)]
        second = [rate(document, text, SECOND_JUDGE).overall for document, text in zip(sample, texts)]
        means = [
            float(np.mean([getattr(r, axis) for r in found]))
            for axis in ("coverage", "accuracy", "coherence", "overall")
        ]
        rows.append((level, spread([len(text.split()) for text in texts]), *means, float(np.mean(second))))
    table(["level", "words", "coverage", "accuracy", "coherence", "overall", "overall, second judge"], rows)


def reading(sample: Sequence[Document]) -> None:
    stated: Counter[str] = Counter()
    read: Counter[str] = Counter()
    untold = false = mistakes = caught = 0
    for document in sample:
        for level, seeds in (("ideal", (0, 1)), ("reference", (0, 1, 2))):
            for seed in seeds:
                written = summary_at(document, level, seed=seed)  # type: ignore[arg-type]
                facts = read_facts(written.text, document).facts
                for kind, fact in facts.items():
                    if kind in written.right:
                        stated[kind] += 1
                        read[kind] += fact.credit >= 0.5 and not fact.wrong
                    elif kind in written.wrong:
                        mistakes += 1
                        caught += fact.credit < 0.5
                    else:
                        untold += 1
                        false += fact.credit >= 0.5
    print("## What the oracle reads back\n\nFacts that ideal and reference summaries were written to state.\n")
    rows = [(kind, stated[kind], f"{100 * read[kind] / stated[kind]:.2f} %") for kind in KINDS]
    rows.append(("**all**", sum(stated.values()), f"**{100 * sum(read.values()) / sum(stated.values()):.2f} %**"))
    table(["fact", "stated", "read back rightly"], rows)
    print(f"Facts not told but read: {false} of {untold:,}.")
    print(f"Facts told wrongly and not believed: {caught} of {mistakes}.\n")


def dishonest(sample: Sequence[Document]) -> None:
    found = defaultdict(list)
    for document, other in zip(sample, [*sample[1:], sample[0]]):
        for name, text in cheats(document, other).items():
            found[name].append(rate(document, text))
    print("## Cheats\n\nMean ratings of dishonest summaries (`precis.sandbox.cheats`), worst offenders last.\n")
    rows = []
    for name, ratings in sorted(found.items(), key=lambda item: np.mean([r.overall for r in item[1]])):
        overall = [r.overall for r in ratings]
        means = [float(np.mean([getattr(r, axis) for r in ratings])) for axis in ("coverage", "accuracy", "coherence")]
        rows.append((name, len(ratings), *means, float(np.mean(overall)), float(np.quantile(overall, 0.95))))
    table(["cheat", "n", "coverage", "accuracy", "coherence", "overall", "95 % of overall"], rows)


def annotators(sample: Sequence[Document]) -> None:
    drawn = [(d, reference_summary(d, seed=0), reference_summary(d, seed=1)) for d in sample]
    pairs = [(d, a, b) for d, a, b in drawn if a.text != b.text]
    truth = [rate(d, b.text).overall - rate(d, a.text).overall for d, a, b in pairs]
    votes = [[compare(d, a, b, annotator=f"comparer-{k}") for d, a, b in pairs] for k in range(3)]
    print(
        f"## Annotators\n\nPairs of two references of one document, n = {len(pairs)}; truth is the oracle's overall.\n"
    )
    clear = [i for i, t in enumerate(truth) if abs(t) > 1e-9]
    with_truth = np.mean([(vote[i].choice == "b") == (truth[i] > 0) for vote in votes for i in clear])
    together = np.mean(
        [votes[j][i].choice == votes[k][i].choice for j, k in ((0, 1), (0, 2), (1, 2)) for i in range(len(pairs))]
    )
    modal = np.mean([(sum(v[i].choice == "b" for v in votes) >= 2) == (truth[i] > 0) for i in clear])
    table(
        ["agreement", "measured", "aim (Stiennon et al. 2020)"],
        [("comparer with the truth", f"{100 * with_truth:.1f} %", "about 75 %, 73–77 % in the paper"),
         ("comparer with comparer", f"{100 * together:.1f} %", "about 73 %"),
         ("modal of three with the truth", f"{100 * modal:.1f} %", "higher than one alone")],
    )  # fmt: skip
    print("Agreement with the truth by confidence (distance from 5):\n")
    by: dict[int, list[bool]] = defaultdict(list)
    for vote in votes:
        for i in clear:
            by[abs((vote[i].confidence or 5) - 5)].append((vote[i].choice == "b") == (truth[i] > 0))
    table(["distance", "votes", "agreement"], [(k, len(by[k]), f"{100 * np.mean(by[k]):.1f} %") for k in sorted(by)])
    biased = ComparerSettings(position_bias=1.0)
    first = [compare(d, a, b, settings=biased) for d, a, b in pairs]
    share = 100 * np.mean([c.choice == c.shown_first for c in first])
    print(f"Position bias 1.0: the summary shown first wins {share:.0f} %.")
    ranked = _top_place(sample, RankerSettings()), _top_place(sample, RankerSettings(position_bias=1.5))
    print(f"Ranker, four references: the one shown first is put on top {ranked[0]:.0f} % of the time,")
    print(f"with position bias 1.5 {ranked[1]:.0f} %.\n")
    _refinements(sample)


def _top_place(sample: Sequence[Document], settings: RankerSettings) -> float:
    tops = []
    for document in sample:
        shown = [reference_summary(document, seed=seed) for seed in range(4)]
        shown = list({candidate.id: candidate for candidate in shown}.values())
        tops.append(rank(document, shown, settings=settings).tiers[0][0] == shown[0].id)
    return 100 * float(np.mean(tops))


def _refinements(sample: Sequence[Document]) -> None:
    maker = Maker("policy", "reference-like")
    before, after, alone = [], [], []
    labels: Counter[str] = Counter()
    for document in sample:
        start = Candidate(document.id, reference_summary(document, seed=5).text, maker)
        fault = critique(document, start)
        labels[fault.label or "none"] += 1
        before.append(rate(document, start.text).overall)
        after.append(rate(document, refine(document, start, fault).text).overall)
        alone.append(rate(document, refine(document, start).text).overall)
    print("Critiques by class:", ", ".join(f"{name} {count}" for name, count in labels.most_common()) + ".")
    print(f"Overall before {np.mean(before):.2f}, refined without a critique {np.mean(alone):.2f},")
    print(f"with one {np.mean(after):.2f}.\n")


def headroom(sample: Sequence[Document]) -> None:
    """What best-of-N can find among references."""
    print("## Headroom\n\nOverall of the best of N references of one document, by the oracle.\n")
    best = {n: [] for n in (1, 4, 16)}
    for document in sample:
        scores = [rate(document, reference_summary(document, seed=100 + k).text).overall for k in range(16)]
        for n in best:
            best[n].append(max(scores[:n]))
    table([f"best of {n}" for n in best], [[float(np.mean(values)) for values in best.values()]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    n, seed = arguments.n, arguments.seed
    print(f"# The sandbox, measured\n\n`python benchmarks/sandbox_properties.py --n {n} --seed {seed}`\n")
    sizes(n, seed)
    sample = list(documents(n, seed=seed, split="test"))
    summaries(sample)
    reading(sample)
    dishonest(sample[: n // 2])
    annotators(sample)
    headroom(sample[: n // 6])
    kinds = Counter(kind for document in sample for kind in story_of(document).facts)
    print("Facts in these documents:", ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS) + ".")


if __name__ == "__main__":
    main()
