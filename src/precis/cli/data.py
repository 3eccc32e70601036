"""`precis import`, `export` and `stats`: files into the store, out of it, and what it holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from .app import DEFAULT_STORE, JsonOption, SeedOption, StoreOption, emit, open_store, say, show_table

if TYPE_CHECKING:
    from ..data import FilterReport, TldrFilter

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="The file's format; a wrong one lists them all.")]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="Name of the data set.")]
SplitOption = Annotated[str | None, typer.Option("--split", help="Split: train, valid, test, …")]


def import_command(
    kind: KindArgument,
    path: Annotated[str, typer.Argument(help="File or folder; for docstrings, package names or 'all'.")],
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", metavar="ROLE=COLUMN", help="What a table's column is, as document=body."),
    ] = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    shares: Annotated[
        str | None,
        typer.Option("--split-shares", metavar="NAME=SHARE,…", help="Split by text, as train=0.9,valid=0.1."),
    ] = None,
    filters: Annotated[
        bool, typer.Option("--filters", help="For tldr: keep what the paper's rules keep, and count the rest.")
    ] = False,
    tokenizer: Annotated[
        Path | None,
        typer.Option("--tokenizer", metavar="DIR", help="Tokenizer for the --filters that count tokens."),
    ] = None,
    skip_bad: Annotated[
        Path | None, typer.Option("--skip-bad", metavar="FILE", help="Set bad rows aside in FILE and go on.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Read documents, reference summaries and judgements into the store. Importing again changes nothing."""
    from ..data import import_into, parse_columns, parse_shares
    from ..progress import Progress

    if tokenizer is not None and not filters:
        raise UserError("--tokenizer counts tokens for the filters; add --filters or leave it out")
    posts = _filter(tokenizer) if filters else None
    with open_store(store) as opened, Progress("importing", total=None, unit="records") as progress:
        report = import_into(
            opened,
            kind,
            path,
            columns=parse_columns(columns or []),
            dataset=dataset,
            split=split,
            skip_bad=skip_bad,
            posts=posts,
            shares=parse_shares(shares) if shares is not None else None,
            seed=seed,
            advance=progress.advance,
        )
    say(str(report))
    if report.filters is not None:
        _show_filters(report.filters)
    emit(asdict(report), as_json)


def _filter(tokenizer: Path | None) -> TldrFilter:
    from ..data import TldrFilter

    if tokenizer is None:
        return TldrFilter()
    from ..models.tokenizer import load_tokenizer

    loaded = load_tokenizer(tokenizer)
    return TldrFilter(lambda text: len(loaded(text, add_special_tokens=False, verbose=False)["input_ids"]))


def _show_filters(report: FilterReport) -> None:
    rows = [
        [
            count.rule,
            count.drops,
            *((f"{n:,}" if count.applied else "-") for n in (count.asked, count.dropped, count.undecided)),
        ]
        for count in report.rules
    ]
    show_table("filters, in their order", ["rule", "drops", "asked", "dropped", "row does not tell"], rows)
    say(f"of {report.posts:,} posts: {report.kept_posts:,} kept, {report.kept_references:,} with their TL;DR")
    if report.not_applied:
        say(f"not applied, for want of --tokenizer: {'; '.join(report.not_applied)}")


def export_command(
    kind: KindArgument,
    path: Annotated[Path, typer.Argument(help="File (or, for hf, folder) to write.")],
    dataset: DatasetOption = None,
    split: SplitOption = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="For trl: make pairs from this judge's scores or comparisons.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write what the store holds. `precis` writes everything; `trl` and `trl-conversational` write preferences."""
    from ..data import export_from, write

    with open_store(store, create=False) as opened:
        if kind.startswith("trl"):
            from ..selection import pairs_from_comparisons, pairs_from_scores

            groups = opened.groups(dataset, split, references_compete=True)
            compared = pairs_from_comparisons(groups, [judge] if judge else [])
            scored = pairs_from_scores(groups, judge) if judge else None
            chosen = scored if scored is not None and scored.groups else compared
            if not chosen.groups:
                raise UserError("the store has no comparisons to make pairs of; name a judge that scored with --judge")
            say(f"pairs: {chosen}")
            counts = write(kind, path, chosen.groups)
        else:
            counts = export_from(opened, kind, path, dataset=dataset, split=split)
    say(f"{path}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    emit({"path": str(path), **counts}, as_json)


def stats_command(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Say what the store holds, by data set, maker and judge, with duplicates, failures and cuts."""
    with open_store(store, create=False) as opened:
        held = opened.stats()
    documents, candidates, judgements = held["documents"], held["candidates"], held["judgements"]
    rows = [
        [dataset or "(none)", split or "(none)", f"{count:,}"]
        for dataset, by_split in documents["by_dataset"].items()
        for split, count in by_split.items()
    ]
    show_table(f"{documents['total']:,} documents", ["data set", "split", "documents"], rows)
    for count, what in [
        (documents["duplicates"], "texts were met under more than one id or split and are kept once"),
        (documents["shared"], "texts stand in more than one data set"),
        *(
            (count, f"texts stand in more than one split of {name}: a leak")
            for name, count in documents["leaked"].items()
        ),
    ]:
        if count:
            say(f"  {count:,} {what}")
    rows = [
        [maker["role"], maker["name"], *(f"{maker[key]:,}" for key in ("candidates", "empty", "unfinished"))]
        for maker in candidates["by_maker"]
    ]
    show_table(f"{candidates['total']:,} candidates", ["role", "maker", "candidates", "empty", "unfinished"], rows)
    rows = [
        [judge, kind, f"{count:,}"] for judge, kinds in judgements["by_judge"].items() for kind, count in kinds.items()
    ]
    show_table(f"{judgements['total']:,} judgements", ["judge", "kind", "judgements"], rows)
    emit(held, as_json)
