"""`precis human-eval`: sheets for people who must not know who wrote what, and their answers back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from .app import DEFAULT_STORE, JsonOption, SeedOption, StoreOption, emit, open_store, say
from .options import Where, flat

human_eval_app = typer.Typer(
    help="Blind sheets for human evaluation: hidden makers, drawn orders, a key kept aside.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
KeyOption = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The key: who wrote what. Raters must not get it.")
]


@human_eval_app.command("export")
@flat
def export_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where a sheet for each rater goes, RATER.csv.")],
    key: KeyOption,
    raters: Annotated[list[str], typer.Option("--rater", metavar="NAME", help="A rater (may be repeated).")],
    axes: Annotated[
        list[str] | None,
        typer.Option("--axis", metavar="NAME", help="Rate on this axis (may be repeated). Default: compare pairs."),
    ] = None,
    low: Annotated[int, typer.Option("--low", help="The worst mark.")] = 1,
    high: Annotated[int, typer.Option("--high", help="The best mark.")] = 7,
    documents: Annotated[
        int | None, typer.Option("--documents", min=1, help="So many documents, drawn at random. Default: all.")
    ] = None,
    pairs: Annotated[
        int | None, typer.Option("--pairs", min=1, help="So many pairs a document, drawn at random. Default: all.")
    ] = None,
    makers: Annotated[
        list[str] | None,
        typer.Option(
            "--maker", metavar="NAME", help="Only what this policy, rule or data set wrote (may be repeated)."
        ),
    ] = None,
    references: Annotated[bool, typer.Option("--references", help="Reference summaries take part too.")] = False,
    batch: Annotated[
        str, typer.Option("--batch", metavar="NAME", help="The study's name, kept with answers.")
    ] = "blind",
    where: Where = Where(),
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a sheet for each rater, to compare pairs or to rate, with makers hidden; and the key."""
    from dataclasses import replace

    from ..data.blind import make_sheets, write_sheets

    if axes and pairs:
        raise UserError("--pairs is for comparisons, --axis for ratings; leave one of them out")
    with open_store(where.store, create=False) as opened:
        groups = opened.groups(where.dataset, where.split, references_compete=references)
    if makers:
        present = {candidate.maker.name for group in groups for candidate in group.candidates}
        if unknown := sorted(set(makers) - present):
            raise UserError(f"no candidate here is by {unknown[0]!r}; there are {', '.join(sorted(present)) or 'none'}")
        groups = [
            replace(group, candidates=tuple(c for c in group.candidates if c.maker.name in makers), judgements=())
            for group in groups
        ]
    sheets = make_sheets(
        groups,
        "ratings" if axes else "comparisons",
        raters,
        axes=axes or (),
        low=low,
        high=high,
        pairs_per_group=pairs,
        documents=documents,
        batch=batch,
        seed=seed,
    )
    paths = write_sheets(sheets, folder, key)
    what = "summaries" if axes else "pairs"
    items, read = sheets.counts["items"], sheets.counts["documents"]
    say(f"{items:,} {what} of {read:,} documents for each of {len(raters)} raters")
    for why, count in sheets.counts.items():
        if count and why.endswith("left out"):
            say(f"  {count:,} {why}")
    say(f"sheets: {', '.join(map(str, paths))}; the key, for you alone: {key}")
    emit({"sheets": [str(path) for path in paths], "key": str(key), **sheets.counts}, as_json)


@human_eval_app.command("import")
def import_command(
    sheets: Annotated[list[Path], typer.Argument(metavar="SHEET", help="Filled-in sheets.")],
    key: KeyOption,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Read filled-in sheets into the store, as comparisons or ratings by person:RATER. All of them, or none."""
    from ..data.blind import read_key, read_sheet

    opened_key = read_key(key)
    counts: Counter[str] = Counter()
    answers = [answer for sheet in sheets for answer in read_sheet(sheet, opened_key, counts)]
    with open_store(store, create=False) as opened:
        added = opened.add_judgements(answers)
    say(f"{counts['items']:,} items read; {opened_key.task}: {added.new:,} new, {added.known:,} known")
    for what, count in counts.items():
        if what != "items":
            say(f"  {count:,} {what}")
    say("precis analyse raters says how far the raters agree")
    emit({"new": added.new, "known": added.known, **counts}, as_json)
