"""The small base model that ships with the sandbox, trained on generated text alone:

    python -m precis.recipes.base_model --out base

Two processes of one thread each (`OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m precis.recipes.base_model …`) do
it faster on two cores than one process of two. The model that ships was trained twice, the second time with `--from`.

It reads the sandbox's documents and writes summaries as mediocre as the references that it saw, so that every
method starts from a model that can do something and has much to learn. It is stored in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import PartialState

from ..models import init_model, load_policy, save_policy
from ..objectives import nll
from ..records import Candidate, Document, Group, Maker
from ..render import TEMPLATES, Renderer
from ..sandbox import corpus
from ..training import TrainConfig
from ..training.batches import examples_of
from ..training.train import train
from .workspace import announce

MAX_PREFIX_TOKENS = 448
VALIDATION = 200
FACTS = "training.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the model; training is kept in OUT.training"
    )
    parser.add_argument("--documents", type=int, default=12_000, help="generated documents; each is seen once")
    parser.add_argument("--summaries", type=int, default=4, help="reference summaries of each")
    parser.add_argument("--seed", type=int, default=7_000_000, help="of the documents; recipes use small seeds")
    parser.add_argument(
        "--from", dest="origin", type=Path, help="a model of this command's to go on from, on documents of another seed"
    )
    given = parser.parse_args()
    start = given.origin or given.out.with_name(given.out.name + ".start")
    work = given.out.with_name(given.out.name + ".training")

    announce(f"generating {given.documents:,} documents")
    texts = list(corpus(given.documents, seed=given.seed, summaries=given.summaries))
    processes = PartialState(cpu=not torch.accelerator.is_available())
    with processes.main_process_first():
        if not start.is_dir():
            words = [text for document, summaries in texts for text in (document, *summaries)]
            init_model(start, words, size="mini", context=1024, seed=given.seed)
    policy = load_policy(start)
    renderer = Renderer(policy.tokenizer, TEMPLATES["separator"], max_prefix_tokens=MAX_PREFIX_TOKENS)
    examples = examples_of(renderer, [_group(*text) for text in texts])
    held_out = examples_of(renderer, [_group(*text) for text in corpus(VALIDATION, seed=given.seed, split="valid")])
    gentler = 1.0 if given.origin is None else 0.5
    config = TrainConfig(
        optimizer="muon",
        learning_rate=3e-3 * gentler,
        muon_learning_rate=0.02 * gentler,
        betas=(0.9, 0.95),
        weight_decay=0.05,
        schedule="linear",
        warmup_steps=60,
        epochs=1,
        tokens_per_batch=2048,
        accumulation=2,
        evaluate_every=250,
        keep_best=False,
    )
    # A document's summaries share its computation, so that what is computed is mostly what is learned from.
    result = train(policy.model, examples, nll(), config, work, pad_id=policy.pad_id, validation=held_out, resume=True)
    if not processes.is_main_process:
        return
    policy.model.bfloat16()
    save_policy(policy, given.out, beside=renderer.save)
    size = sum(file.stat().st_size for file in given.out.iterdir())
    facts = {
        "parameters": sum(parameter.numel() for parameter in policy.model.parameters()),
        "bytes": size,
        "documents": len(examples),
        "summaries": sum(len(example.tokens.continuations) for example in examples),
        "steps": result.steps,
        "tokens": result.tokens,
        "seconds": round(result.seconds),
        "validation": result.validation,
    }
    if given.origin is not None and (given.origin / FACTS).is_file():
        facts["from"] = json.loads((given.origin / FACTS).read_text("utf-8"))
    (given.out / FACTS).write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    if given.origin is None:
        shutil.rmtree(start)
    announce(json.dumps(facts))


def _group(text: str, summaries: Sequence[str]) -> Group:
    document, maker = Document(text), Maker("reference", "sandbox")
    return Group(
        document,
        tuple(Candidate(document.id, summary, maker, index=index) for index, summary in enumerate(summaries)),
    )


if __name__ == "__main__":
    main()
