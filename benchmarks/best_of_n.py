"""Best of N in the sandbox: what choosing among samples buys against greedy decoding, over N, temperature and seeds.

    python -m benchmarks.best_of_n --policy FOLDER --reward FOLDER --out FOLDER \
        [--split test] [--documents 500] [--n 64] [--temperatures 0.3 0.5 0.7] [--seeds 1 2 3]

The supervised policy and the reward model of a run (`WORK/models/…`); the oracle grades. The pools are written to
`OUT/pool-T.jsonl`, which `precis analyse overoptimization` reads. Choose N and T by `--split valid`, report `test`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from precis.evaluation.optimization.bestofn import best_of_n_curve
from precis.evaluation.plain import write_jsonl
from precis.evaluation.winrates import verdicts_between, win_rate
from precis.judges.oracle import OracleJudge
from precis.judges.run import run_judge
from precis.recipes.steps.policies import load_writer
from precis.recipes.steps.rewards import load_reward_judge
from precis.recipes.steps.writer import Writer
from precis.records import Document, Group
from precis.sampling.decoding import Decoding
from precis.sampling.run import sample
from precis.sandbox import documents
from precis.selection import best_of, scores_of
from precis.store import Store

MAX_NEW_TOKENS = 80


def written(
    store: Store, writer: Writer, texts: Sequence[Document], how: Decoding, *, k: int, seed: int
) -> list[Group]:
    """`k` summaries of every document, by index; what is in the store already is not written again."""
    done = sample(store, writer.policy, writer.renderer, texts, k=k, decoding=how, seed=seed)
    groups = store.groups(source_ids=[text.id for text in texts], maker_ids=[done.maker.id])
    return [
        replace(group, candidates=tuple(sorted(group.candidates, key=lambda one: one.index))[:k]) for group in groups
    ]


def judged(store: Store, groups: Sequence[Group], judges: Sequence[object]) -> list[Group]:
    """The groups with what the judges say of their candidates."""
    for judge in judges:
        run_judge(store, judge, groups)  # type: ignore[arg-type]
    said = store.judgements(source_ids=[group.source.id for group in groups])
    return [
        replace(group, judgements=tuple(one for one in said_of if ids.issuperset(one.candidate_ids)))
        for group in groups
        for ids in [{candidate.id for candidate in group.candidates}]
        for said_of in [[one for one in said if one.source_id == group.source.id]]
    ]


def powers_of_two(n: int) -> Iterator[int]:
    size = 2
    while size < n:
        yield size
        size *= 2
    yield n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--reward", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--documents-seed", type=int, default=1, help="the recipe's seed")
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.3, 0.5, 0.7])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    asked = parser.parse_args()
    writer, reward, oracle = load_writer(asked.policy), load_reward_judge(asked.reward), OracleJudge()
    texts = list(documents(asked.documents, seed=asked.documents_seed, split=asked.split))
    asked.out.mkdir(parents=True, exist_ok=True)
    with Store(asked.out) as store:
        store.add_documents(texts)
        how = Decoding("greedy", max_new_tokens=MAX_NEW_TOKENS)
        greedy = judged(store, written(store, writer, texts, how, k=1, seed=1), [oracle])
        greedy_texts = {group.source.id: group.candidates for group in greedy}
        print("| T | seed | n | oracle prefers it to greedy | at equal length |\n|---|---|---|---|---|", flush=True)
        for temperature in asked.temperatures:
            how = Decoding("temperature", temperature=temperature, max_new_tokens=MAX_NEW_TOKENS)
            rows = []
            for seed in asked.seeds:
                pool = judged(store, written(store, writer, texts, how, k=asked.n, seed=seed), [reward, oracle])
                said = [one for group in (*pool, *greedy) for one in group.judgements if one.judge.id == oracle.info.id]
                for n in (1, *powers_of_two(asked.n)):
                    chosen = best_of(pool, reward.info, n=n).groups
                    found = verdicts_between(said, {g.source.id: g.candidates for g in chosen}, greedy_texts)
                    rate = win_rate(found, system=f"best of {n}", against="greedy", judge="oracle")
                    print(f"| {temperature} | {seed} | {n} | {rate.win_rate} | {rate.length_controlled} |", flush=True)
                scores = [
                    (group.source.id, scores_of(group, reward.info), scores_of(group, oracle.info)) for group in pool
                ]
                rows += [
                    {
                        "run": f"T = {temperature}",
                        "method": "best-of-n",
                        "seed": seed,
                        "document": document,
                        "proxy": proxy,
                        "gold": gold,
                    }
                    for document, proxies, golds in scores
                    for proxy, gold in zip(proxies, golds, strict=True)
                ]
                whole = [(p, g) for _, p, g in scores if None not in p and None not in g]
                curve = best_of_n_curve([p for p, _ in whole], [g for _, g in whole])  # type: ignore[misc]
                print(f"  {len(whole)} documents; ceiling {curve.ceiling}; peak at n = {curve.peak}")
                for point in curve.points:
                    print(f"  n = {point.n}, KL {point.kl:.2f}: reward {point.proxy}, oracle {point.gold}", flush=True)
            write_jsonl(asked.out / f"pool-{temperature}.jsonl", rows)


if __name__ == "__main__":
    main()
