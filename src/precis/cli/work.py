"""`precis sample`, `evaluate`, `report`, `summarize`: candidates, numbers, summaries."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UserError
from .app import DEFAULT_STORE, JsonOption, SeedOption, StoreOption, emit, existing, open_store, say, show_table
from .options import DatasetOption, LimitOption, SplitOption

if TYPE_CHECKING:
    from ..judges.protocol import Judge
    from ..records import Maker

TemplateOption = Annotated[str | None, typer.Option("--template", help="A template's name, or text with {document}.")]
CodeOption = Annotated[bool, typer.Option("--trust-remote-code", help="Run code a repository brings.")]
DECODINGS = ("greedy", "temperature", "top-p", "beam", "diverse-beam")


def sample_command(
    policy: Annotated[
        str, typer.Option("--policy", help="Folder or hub name of the model that writes; with --url its name there.")
    ],
    url: Annotated[
        str | None, typer.Option("--url", help="An OpenAI-compatible address, as …/v1, whose model writes.")
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            metavar="NAME=VALUE",
            help="With --url: a setting of it, as max_money=5 (docs/endpoints.md); may be repeated.",
        ),
    ] = None,
    keep_lines: Annotated[
        bool, typer.Option("--keep-lines", help="With --url: keep documents' line ends, as dialogues need.")
    ] = False,
    k: Annotated[int, typer.Option("--k", min=1, help="Candidates a document.")] = 1,
    decoding: Annotated[str, typer.Option("--decoding", help=", ".join(DECODINGS))] = "temperature",
    temperature: Annotated[float, typer.Option("--temperature")] = 0.7,
    top_p: Annotated[float, typer.Option("--top-p")] = 1.0,
    beams: Annotated[int, typer.Option("--beams", help="Width of beam search, all groups together.")] = 4,
    num_groups: Annotated[
        int | None, typer.Option("--num-groups", help="Of diverse-beam: groups of beams; by default a beam each.")
    ] = None,
    diversity_penalty: Annotated[
        float, typer.Option("--diversity-penalty", help="Of diverse-beam: nats a token loses per earlier group.")
    ] = 1.0,
    length_penalty: Annotated[float, typer.Option("--length-penalty", help="Of beam search.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens")] = 64,
    min_new_tokens: Annotated[int, typer.Option("--min-new-tokens")] = 0,
    no_repeat_ngram_size: Annotated[int, typer.Option("--no-repeat-ngram-size")] = 0,
    template: TemplateOption = None,
    max_prefix_tokens: Annotated[
        int | None, typer.Option("--max-prefix-tokens", min=1, help="Longest prompt in tokens.")
    ] = None,
    trust_remote_code: CodeOption = False,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Write K candidates of every document into the store. Killed, it goes on where it was."""
    from ..recipes.steps import StartSettings, load_writer
    from ..sampling.decoding import Decoding
    from ..sampling.run import sample

    if decoding not in DECODINGS:
        raise UserError(f"there is no decoding {decoding!r}; there are {', '.join(DECODINGS)}")
    searches = decoding in ("beam", "diverse-beam")
    how = Decoding(
        decoding,  # type: ignore[arg-type]
        temperature=temperature,
        top_p=top_p if decoding == "top-p" else 1.0,
        num_beams=beams if searches else 1,
        num_groups=(beams if num_groups is None else num_groups) if decoding == "diverse-beam" else 1,
        diversity_penalty=diversity_penalty,
        length_penalty=length_penalty,
        max_new_tokens=max_new_tokens,
        min_new_tokens=min_new_tokens,
        no_repeat_ngram_size=no_repeat_ngram_size,
    )
    start = StartSettings(template=template, max_prefix_tokens=max_prefix_tokens, trust_remote_code=trust_remote_code)
    with open_store(store, create=False) as opened:
        documents = opened.documents(dataset, split, limit)
        if not documents:
            raise UserError(f"the store {store} holds no such documents; import some first")
        if url is not None:
            asked = [f"url={url}", f"model={policy}", *(endpoint or [])]
            _sample_by_asking(opened, documents, asked, template, how, k, seed, keep_lines, as_json)
            return
        writer = load_writer(policy, start)
        done = sample(opened, writer.policy, writer.renderer, documents, k=k, decoding=how, seed=seed)
    say(
        f"{done.written:,} candidates of {done.documents:,} documents written ({done.empty:,} empty, "
        f"{done.unfinished:,} cut by the length limit), {done.known:,} known; {done.cut_documents:,} documents cut; "
        f"{done.tokens_per_second:,.0f} tokens/s"
        + (f"; documents were not shared: {done.reason}" if done.reason else "")
    )
    emit({"maker": done.maker.id, **{name: getattr(done, name) for name in _SAMPLED}}, as_json)


def _sample_by_asking(
    store: Any, documents: Any, asked: list[str], template: str | None, how: Any, k: int, seed: int, keep_lines: bool,
    as_json: bool,
) -> None:  # fmt: skip
    from pydantic import TypeAdapter

    from ..endpoint import EndpointConfig, EndpointEngine
    from ..recipes.settings import parse_settings
    from ..render.templates import Template, template_named
    from ..sampling.asked import sample_by_asking

    named = template or "chat"
    prompt = Template(named, chat=True) if "{document}" in named else template_named(named)
    with EndpointEngine(parse_settings(TypeAdapter(EndpointConfig), asked, quoting=False)) as engine:
        done = sample_by_asking(
            store, engine, prompt, documents,
            k=k, decoding=how, seed=seed, one_line=not keep_lines,
        )  # fmt: skip
        spent = engine.spent
    failed = "".join(f"; {count:,} × {reason}" for reason, count in done.failed.items())
    say(
        f"{done.written:,} candidates of {done.documents:,} documents written ({done.empty:,} empty, "
        f"{done.unfinished:,} cut by the length limit), {done.known:,} known{failed}"
    )
    say(f"  {spent.sentence()}")
    emit({**vars(done), "maker": done.maker.id, "spent": vars(spent)}, as_json)


_SAMPLED = ("documents", "known", "written", "empty", "unfinished", "cut_documents", "tokens", "seconds", "engine")


def evaluate_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for evaluation.json and the rows behind it.")],
    against: Annotated[str | None, typer.Option("--against", help="Maker's id to compare the others with.")] = None,
    encoder: Annotated[Path | None, typer.Option("--encoder", help="Folder of an encoder, for BERTScore.")] = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure every maker in the store side by side: ROUGE, length, copying, and win rates by every judge."""
    from ..evaluation.plain import to_plain
    from ..evaluation.systems import REFERENCE, evaluate_systems, write_evaluation

    if encoder is not None:
        existing(encoder, "encoder")
    with open_store(store, create=False) as opened:
        documents = opened.documents(dataset, split, limit)
        ids = [document.id for document in documents]
        references = opened.references(ids)
        systems: dict[str, list[Any]] = {}
        label_of: dict[str, str] = {}
        for candidate in opened.candidates(ids):
            if candidate.maker.role != "reference":
                label = label_of.setdefault(candidate.maker.id, _label(candidate.maker))
                systems.setdefault(label, []).append(candidate)
        judgements = opened.judgements(source_ids=ids)
    if against is not None and against not in label_of:
        raise UserError(f"no maker has the id {against!r}; there are {'; '.join(systems) or 'none'}")
    chosen = label_of[against] if against is not None else None
    evaluation = evaluate_systems(
        documents,
        references,
        systems,
        judgements=judgements,
        against=[chosen] if chosen else [REFERENCE],
        baselines=[chosen] if chosen else [],
        encoder=encoder,
        seed=seed,
    )
    write_evaluation(evaluation, out)
    shown = ("rouge1", "rouge2", "rougeL", "words")
    rows = [[s.name, *(_short(s.metrics[name], name) for name in shown), str(s.documents)] for s in evaluation.systems]
    show_table(evaluation.settings["rouge"], ["system", *shown, "documents"], rows)
    known = [rate for rate in evaluation.win_rates if rate.comparisons]
    for rate in known:
        say(f"{rate.system} against {rate.against}, by {rate.judge}: win rate {rate.win_rate}")
        say(f"  at equal length {rate.length_controlled}")
    if silent := len(evaluation.win_rates) - len(known):
        say(f"note: {silent} win rates are not listed, since their judge gave no verdict between the two systems")
    if judgements and not evaluation.win_rates:
        say(f"note: no judge has judged both a system and {chosen or 'the references'}, so there is no win rate")
    for warning in evaluation.warnings:
        say(f"note: {warning}")
    emit({k: v for k, v in to_plain(evaluation).items() if k not in ("outputs", "verdicts")}, as_json)


def _label(maker: Maker) -> str:
    """A maker in words: its name, how it writes, and its id, which `--against` takes."""
    name = maker.name if len(maker.name) <= 20 else f"{maker.name[:16]}…"
    how = maker.settings.get("decoding")
    kind = f", {how['kind']}" if isinstance(how, Mapping) and "kind" in how else ""
    return f"{name}{kind} ({maker.id})"


def _short(estimate: Any, name: str) -> str:
    scale = 1 if name == "words" else 100
    if estimate.value is None:
        return "–"
    interval = f" [{scale * estimate.low:.1f}, {scale * estimate.high:.1f}]" if estimate.low is not None else ""
    return f"{scale * estimate.value:.1f}{interval}"


def report_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, with report.json.")],
    as_json: JsonOption = False,
) -> None:
    """Make report.html again from a run's report.json."""
    from ..report.write import read_report, write_report

    html, json_file = write_report(read_report(existing(run / "report.json", "report")), run)
    say(f"The report is {html}")
    emit({"report": str(html), "json": str(json_file)}, as_json)


def summarize_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Text file to summarize; - reads standard input.")],
    model: Annotated[str, typer.Option("--model", help="Folder or hub name of the policy.")],
    best_of: Annotated[int, typer.Option("--best-of", min=1, help="Write so many and keep the best.")] = 1,
    reward_model: Annotated[Path | None, typer.Option("--reward-model", help="Reward model that chooses.")] = None,
    reranker: Annotated[Path | None, typer.Option("--reranker", help="Reranker that chooses.")] = None,
    beams: Annotated[
        int, typer.Option("--beams", min=1, help="Search with so many beams; 1 is greedy, or samples with --best-of.")
    ] = 1,
    length_penalty: Annotated[float, typer.Option("--length-penalty", help="Of beam search.")] = 1.0,
    no_repeat_ngram_size: Annotated[int, typer.Option("--no-repeat-ngram-size", min=0)] = 0,
    temperature: Annotated[float, typer.Option("--temperature", help="Of samples, with --best-of.")] = 0.7,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens")] = 64,
    template: TemplateOption = None,
    trust_remote_code: CodeOption = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Summarize one text: greedily or by beam search, or as the best of N samples or beams by a reward model or a
    reranker."""
    if reward_model is not None and reranker is not None:
        raise UserError("--reward-model and --reranker both choose; give one of them")
    if (best_of > 1) != (reward_model is not None or reranker is not None):
        raise UserError("--best-of N goes together with --reward-model DIR or --reranker DIR")
    if 1 < beams < best_of:
        raise UserError(f"a search with {beams} beams finds no {best_of} summaries; give as many --beams as --best-of")
    from ..recipes.steps import load_reranker_judge, load_reward_judge
    from ..recipes.summarize import summarize
    from ..sampling.decoding import Decoding

    text = _text_of(file)
    decoding = Decoding(
        "beam" if beams > 1 else "temperature" if best_of > 1 else "greedy",
        temperature=temperature,
        num_beams=beams,
        length_penalty=length_penalty,
        no_repeat_ngram_size=no_repeat_ngram_size,
        max_new_tokens=max_new_tokens,
    )
    judge: Judge | None = None
    if reward_model is not None:
        judge = load_reward_judge(reward_model)
    elif reranker is not None:
        judge = load_reranker_judge(reranker)
    summary = summarize(
        text,
        model,
        decoding=decoding,
        best_of=best_of,
        judge=judge,
        template=template,
        trust_remote_code=trust_remote_code,
        seed=seed,
    )
    for note in summary.notes:
        print(f"precis: {note}", file=sys.stderr)
    say(summary.text)
    emit({"summary": summary.text, "score": summary.score, "notes": list(summary.notes)}, as_json)


def _text_of(file: str) -> str:
    if file == "-" and sys.stdin is None:
        raise UserError("standard input is closed; name a text file")
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no file {file}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        name = "standard input" if file == "-" else file
        raise UserError(f"{name} is not UTF-8 text: byte {error.start} cannot be read") from error
