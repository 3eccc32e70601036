"""`precis judge`: have a judge judge the store's candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UserError
from .app import JsonOption, SeedOption, emit, existing, open_store, say
from .options import LimitOption, Where, flat

PROMPTED = ("gptrank", "pairwise")
JUDGES = (
    "rouge", "bertscore", "length", "copying", "random", "oracle", "comparer", "reward", "reranker",
    "gptscore", *PROMPTED,
)  # fmt: skip


@dataclass(frozen=True)
class Prompted:
    """How a large model is asked."""

    url: Annotated[
        str | None,
        typer.Option("--url", help="For gptrank, pairwise and gptscore: an OpenAI-compatible address, as …/v1."),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="The large model's name, as its server knows it; without --url its folder or hub name."
        ),
    ] = None
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


@dataclass(frozen=True)
class Scoring:
    """What GPTScore takes the log-probs of."""

    aspect: Annotated[
        str, typer.Option("--aspect", help="For gptscore: what is asked for; a wrong one lists them all.")
    ] = ""
    direction: Annotated[
        str,
        typer.Option(
            "--direction", help="For gptscore: document-to-summary, summary-to-document, or both, which are averaged."
        ),
    ] = "document-to-summary"
    length_penalty: Annotated[
        float, typer.Option("--length-penalty", help="For gptscore: α, for sum / tokens^α; 0 is the sum.")
    ] = 1.0
    template: Annotated[
        list[str] | None,
        typer.Option(
            "--template",
            metavar="FILE",
            help="For gptscore: a file, or text with {document} and {summary}, of which one is last and is scored; "
            "one for each direction.",
        ),
    ] = None
    keep_lines: Annotated[
        bool,
        typer.Option("--keep-lines", help="For gptscore, gptrank and pairwise: keep line ends, as dialogues need."),
    ] = False
    demonstrations: Annotated[
        Path | None,
        typer.Option("--demonstrations", help="For gptscore: JSONL with document and summary, shown as examples."),
    ] = None


@flat
def judge_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help=", ".join(JUDGES))],
    reward_model: Annotated[Path | None, typer.Option("--reward-model", help="For reward: the model's folder.")] = None,
    reranker: Annotated[Path | None, typer.Option("--reranker", help="For reranker: the model's folder.")] = None,
    encoder: Annotated[Path | None, typer.Option("--encoder", help="For bertscore: the encoder's folder.")] = None,
    pairs_per_group: Annotated[
        int | None,
        typer.Option("--pairs", min=1, help="Pairs a document: for comparer 6; for pairwise all, unless given."),
    ] = None,
    references: Annotated[
        bool, typer.Option("--references", help="Judge the reference summaries too: people compare them with samples.")
    ] = False,
    prompted: Prompted = Prompted(),
    scoring: Scoring = Scoring(),
    limit: LimitOption = None,
    where: Where = Where(),
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Have a judge judge the store's candidates. What it judged before is not judged again."""
    from ..judges.run import run_judge

    if references and name in ("rouge", "bertscore"):
        raise UserError(
            f"{name} measures likeness to the reference summaries, so it cannot judge them: omit --references"
        )
    engine = _engine(name, prompted) if name in PROMPTED or (name == "gptscore" and prompted.url) else None
    if name == "gptscore":
        judge = _gptscore(engine, prompted.model, scoring)
    elif engine is not None:
        judge = _large_model(name, engine, prompted, pairs_per_group, seed, one_line=not scoring.keep_lines)
    else:
        judge = _judge(name, reward_model, reranker, encoder, pairs_per_group or 6, seed)
    with open_store(where.store, create=False) as opened:
        found = opened.groups(where.dataset, where.split, limit, references_compete=references)
        groups = [group for group in found if group.candidates]
        if not groups:
            raise UserError(f"the store {where.store} holds no candidates of such documents; sample or import some")
        done = run_judge(opened, judge, groups)
    say(str(done))
    spent = getattr(engine, "spent", None)  # a loaded model costs nothing
    if spent is not None:
        say(f"  {spent.sentence()}")
    for what, count in getattr(judge, "counts", {}).items():
        say(f"  {count:,} {what}")
    told = {**vars(done), "judge": judge.info.id, "name": done.judge}
    emit({**told, **({"spent": vars(spent)} if spent else {})}, as_json)


def _engine(name: str, asked: Prompted) -> Any:
    """A large model behind a URL, or one that is loaded."""
    from pydantic import TypeAdapter

    from ..endpoint import EndpointConfig, EndpointEngine
    from ..recipes.settings import parse_settings

    if not asked.model:
        raise UserError(
            f"the judge {name} is a large model: say where it is with --url and what it is called there, --model; or "
            "name a folder or a model of the hub with --model alone"
        )
    if not asked.url:
        from ..recipes.steps import local_engine

        return local_engine(asked.model)
    settings = [f"url={asked.url}", f"model={asked.model}", *(asked.endpoint or [])]
    return EndpointEngine(parse_settings(TypeAdapter(EndpointConfig), settings, quoting=False))


def _gptscore(engine: Any, model: str | None, scoring: Scoring) -> Any:
    """GPTScore by a large model behind a URL, or by one that is loaded."""
    from ..judges.gptscore import GPTScoreJudge
    from ..judges.gptscore_prompts import demonstrations_from, template_text, templates_of
    from ..judges.likelihood import EndpointLikelihood, Likelihood

    templates = templates_of(
        scoring.direction,
        scoring.aspect,
        own=[template_text(given) for given in scoring.template or []],
        one_line=not scoring.keep_lines,
        demonstrations=demonstrations_from(scoring.demonstrations) if scoring.demonstrations else (),
    )
    likelihood: Likelihood
    if engine is not None:
        likelihood = EndpointLikelihood(engine)
    elif model is not None:
        from ..judges.policy_likelihood import PolicyLikelihood
        from ..models import load_policy

        likelihood = PolicyLikelihood(load_policy(model))
    else:
        raise UserError("the judge gptscore needs its model: --model FOLDER, or --url and --model NAME")
    return GPTScoreJudge(likelihood, templates, scoring.length_penalty, scoring.aspect)


def _large_model(name: str, engine: Any, asked: Prompted, pairs: int | None, seed: int, *, one_line: bool) -> Any:
    """A judge that prompts a large model."""
    from ..judges.gptrank import ListwiseJudge
    from ..judges.pairwise import PairwiseJudge
    from ..judges.prompts import LISTWISE, PAIRWISE, template_from

    like = replace(LISTWISE if name == "gptrank" else PAIRWISE, one_line=one_line)
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


def _judge(
    name: str, reward_model: Path | None, reranker: Path | None, encoder: Path | None, pairs: int, seed: int
) -> Any:
    if name == "reward":
        from ..recipes.steps import load_reward_judge

        if reward_model is None:
            raise UserError("the reward judge needs its model: --reward-model FOLDER")
        return load_reward_judge(existing(reward_model, "reward model"))
    if name == "reranker":
        from ..recipes.steps.reranking import load_reranker_judge

        if reranker is None:
            raise UserError("the judge reranker needs its model: --reranker FOLDER")
        return load_reranker_judge(existing(reranker, "reranker"))
    if name == "bertscore":
        from ..judges.bertscore import BertScoreJudge

        if encoder is None:
            raise UserError("the judge bertscore needs its encoder: --encoder FOLDER")
        return BertScoreJudge(existing(encoder, "encoder"))
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
