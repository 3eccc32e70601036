"""`precis judge`: have a judge judge the store's candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UserError
from .app import JsonOption, SeedOption, emit, existing, open_store, say
from .options import LimitOption, Where, flat

PROMPTED = ("gptrank", "pairwise")
JUDGES = ("rouge", "length", "copying", "random", "oracle", "comparer", "reward", *PROMPTED)


@dataclass(frozen=True)
class Prompted:
    """How a large model is asked."""

    url: Annotated[
        str | None, typer.Option("--url", help="For gptrank and pairwise: an OpenAI-compatible address, as …/v1.")
    ] = None
    model: Annotated[str | None, typer.Option("--model", help="The large model's name, as its server knows it.")] = None
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            metavar="NAME=VALUE",
            help="A setting of the endpoint, as max_money=5 or key_env=MY_KEY (docs/endpoints.md); may be repeated.",
        ),
    ] = None
    passes: Annotated[
        int, typer.Option("--passes", min=1, help="For gptrank: rankings of each document, in other orders.")
    ] = 1
    permute: Annotated[
        bool, typer.Option("--permute/--no-permute", help="For gptrank: show candidates in a drawn order.")
    ] = True
    one_order: Annotated[bool, typer.Option("--one-order", help="For pairwise: ask each pair once, not twice.")] = False
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="Another prompt: a file, or text with {document} and {summaries}.")
    ] = None
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer of the large model.")] = 1024


@flat
def judge_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help=", ".join(JUDGES))],
    reward_model: Annotated[Path | None, typer.Option("--reward-model", help="For reward: the model's folder.")] = None,
    pairs_per_group: Annotated[
        int | None,
        typer.Option("--pairs", min=1, help="Pairs a document: for comparer 6; for pairwise all, unless given."),
    ] = None,
    references: Annotated[
        bool, typer.Option("--references", help="Judge the reference summaries too: people compare them with samples.")
    ] = False,
    prompted: Prompted = Prompted(),
    limit: LimitOption = None,
    where: Where = Where(),
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Have a judge judge the store's candidates. What it judged before is not judged again."""
    from ..judges.run import run_judge

    if references and name == "rouge":
        raise UserError(
            "ROUGE measures likeness to the reference summaries, so it cannot judge them: omit --references"
        )
    judge = _large_model(name, prompted, pairs_per_group, seed) if name in PROMPTED else None
    judge = judge or _judge(name, reward_model, pairs_per_group or 6, seed)
    with open_store(where.store, create=False) as opened:
        found = opened.groups(where.dataset, where.split, limit, references_compete=references)
        groups = [group for group in found if group.candidates]
        if not groups:
            raise UserError(f"the store {where.store} holds no candidates of such documents; sample or import some")
        done = run_judge(opened, judge, groups)
    say(str(done))
    spent = None
    if name in PROMPTED:
        spent = judge.engine.spent
        say(f"  {spent.sentence()}")
        for what, count in judge.counts.items():
            say(f"  {count:,} {what}")
    emit({"judge": judge.info.id, **vars(done), **({"spent": vars(spent)} if spent else {})}, as_json)


def _large_model(name: str, asked: Prompted, pairs: int | None, seed: int) -> Any:
    """A judge that is a large model behind a URL."""
    from pydantic import TypeAdapter

    from ..endpoint import EndpointConfig, EndpointEngine
    from ..judges.gptrank import ListwiseJudge
    from ..judges.pairwise import PairwiseJudge
    from ..judges.prompts import LISTWISE, PAIRWISE, template_from
    from ..recipes.settings import parse_settings

    if not asked.url or not asked.model:
        raise UserError(f"the judge {name} is a large model: say where it is with --url and what it is called, --model")
    config = parse_settings(
        TypeAdapter(EndpointConfig), [f"url={asked.url}", f"model={asked.model}", *(asked.endpoint or [])]
    )
    engine = EndpointEngine(config)
    like = LISTWISE if name == "gptrank" else PAIRWISE
    template = template_from(asked.prompt, like) if asked.prompt else like
    if name == "gptrank":
        return ListwiseJudge(
            engine, asked.passes, seed, permute=asked.permute, template=template, max_tokens=asked.max_tokens
        )
    return PairwiseJudge(
        engine,
        both_orders=not asked.one_order,
        pairs_per_group=pairs,
        seed=seed,
        template=template,
        max_tokens=asked.max_tokens,
    )


def _judge(name: str, reward_model: Path | None, pairs: int, seed: int) -> Any:
    if name == "reward":
        from ..recipes.steps import load_reward_judge

        if reward_model is None:
            raise UserError("the reward judge needs its model: --reward-model FOLDER")
        return load_reward_judge(existing(reward_model, "reward model"))
    from ..judges.comparer import ComparerJudge
    from ..judges.copying import CopyingJudge
    from ..judges.length import LengthJudge
    from ..judges.oracle import OracleJudge
    from ..judges.random import RandomJudge
    from ..judges.rouge import RougeJudge

    makers: dict[str, Any] = {
        "rouge": RougeJudge,
        "length": LengthJudge,
        "copying": CopyingJudge,
        "random": lambda: RandomJudge(seed),
        "oracle": OracleJudge,
        "comparer": lambda: ComparerJudge(pairs_per_group=pairs, seed=seed),
    }
    if name not in makers:
        raise UserError(f"there is no judge {name!r}; there are {', '.join(JUDGES)}")
    return makers[name]()
