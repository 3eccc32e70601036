"""An `Evaluation` as blocks of a report: tables of systems, win rates, differences and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from ..evaluation.statistics import Difference, Seeds
from ..evaluation.systems import REFERENCE, Evaluation
from ..evaluation.winrates import WinRate
from .contents import Block, Cell, Column, Notice, Plot, Row, Table, cell

# Of an interval of a share: as wide as that it says nothing.
SAYS_NOTHING = 0.9

COLUMNS = {
    "rouge1": Column("ROUGE-1", "F1 of words, × 100.", "higher", 100),
    "rouge2": Column("ROUGE-2", "F1 of word pairs, × 100.", "higher", 100),
    "rougeL": Column("ROUGE-L", "F1 of the longest common subsequence, × 100.", "higher", 100),
    "rougeLsum": Column("ROUGE-Lsum", "ROUGE-L by sentence, × 100.", "higher", 100),
    "bertscore": Column(
        "BERTScore", "F1 of matched word-piece embeddings, × 100; comparable within this table.", "higher", 100
    ),
    "words": Column("Words", "Mean length in words."),
    "compression": Column("Compression", "Words of the document / words of the summary."),
    "coverage": Column(
        "Coverage", "Share of words inside fragments copied from the document (Grusky et al. 2018).", "", 100
    ),
    "density": Column("Density", "Mean length of the copied fragment a word is in (Grusky et al. 2018)."),
    "novel1": Column("New words", "Share of distinct words that the document does not have, %.", "", 100),
    "novel2": Column("New 2-grams", "Share of distinct word pairs that the document does not have, %.", "", 100),
    "novel3": Column("New 3-grams", "The same for three words, %.", "", 100),
    "novel4": Column("New 4-grams", "The same for four words, %.", "", 100),
    "copying": Column(
        "Copying",
        "Longest common subsequence of bigrams with the document / bigrams of the summary, % (Stiennon et al. 2020).",
        "",
        100,
    ),
    "repetition": Column("Repetition", "Share of 3-grams that repeat an earlier one, %.", "lower", 100),
}
QUALITY = ("rouge1", "rouge2", "rougeL", "rougeLsum", "bertscore")


def quality_table(evaluation: Evaluation, *, asides: Sequence[str] = (), note: str = "") -> Table:
    """Systems by their likeness to the references; `asides` (ceilings) are shown but never marked best."""
    metrics = [metric for metric in QUALITY if metric in evaluation.systems[0].metrics]
    return Table(
        caption=f"Likeness to the reference summaries. ROUGE: {evaluation.settings['rouge']}.",
        columns=(Column("System"), *(_column(metric) for metric in metrics), Column("Words", COLUMNS["words"].help)),
        rows=tuple(
            Row(
                (Cell(s.name), *(cell(s.metrics[metric]) for metric in metrics), cell(s.metrics["words"])),
                f'system = "{s.name}"',
                s.name in asides,
            )
            for s in evaluation.systems
        ),
        note=note,
        file="outputs.jsonl",
    )


def text_table(evaluation: Evaluation, *, asides: Sequence[str] = ()) -> Table:
    """What the systems' texts are like, and what is missing of them."""
    metrics = [metric for metric in COLUMNS if metric not in QUALITY]
    counts = (
        Column("Documents", "Documents with at least one summary.", digits=0),
        Column("Missing", "Documents without one.", digits=0),
        Column("Empty", "Empty summaries.", digits=0, field="empty"),
        Column("Unfinished", "Summaries cut by the length limit.", digits=0, field="finished"),
    )
    return Table(
        caption="The texts themselves.",
        columns=(Column("System"), *(_column(metric) for metric in metrics), *counts),
        rows=tuple(
            Row(
                (
                    Cell(s.name),
                    *(cell(s.metrics[metric]) for metric in metrics),
                    *(Cell(count) for count in (s.documents, s.missing, s.empty, s.unfinished)),
                ),
                f'system = "{s.name}"',
                s.name in asides,
            )
            for s in evaluation.systems
        ),
        file="outputs.jsonl",
    )


def _column(metric: str) -> Column:
    own = COLUMNS[metric]
    return Column(own.name, own.help, own.better, own.scale, own.digits, metric)


def win_rate_blocks(rates: Sequence[WinRate]) -> list[Block]:
    """By judge and opponent: a forest plot with the length-controlled twin, a table, and what qualifies them."""
    blocks: list[Block] = []
    for judge, against in dict.fromkeys((rate.judge, rate.against) for rate in rates):
        own = [rate for rate in rates if (rate.judge, rate.against) == (judge, against)]
        opponent = "the reference summaries" if against == REFERENCE else against
        rows = [
            {
                "label": rate.system,
                **_interval(rate),
                "n": rate.win_rate.n,
                "twin": {
                    "value": rate.length_controlled.value,
                    "low": rate.length_controlled.low,
                    "high": rate.length_controlled.high,
                },
            }
            for rate in own
        ]
        blocks.append(
            Plot(
                "forest",
                {"rows": rows, "xlabel": f"preferred to {opponent} (%)", "twin": "at equal length"},
                f"Preferred to {opponent} by {judge}: raw and at equal length, with 95% intervals.",
                f"Win rates against {opponent} by {judge}: " + "; ".join(_said(rate) for rate in own),
            )
        )
        blocks.append(_win_rate_table(own, judge, opponent))
        blocks += [Notice(f"{rate.system} against {opponent}: {note}.", "note") for rate in own for note in rate.notes]
    return blocks


def _interval(rate: WinRate) -> dict[str, float | None]:
    return {"value": rate.win_rate.value, "low": rate.win_rate.low, "high": rate.win_rate.high}


def _said(rate: WinRate) -> str:
    return f"{rate.system} not estimable" if rate.win_rate.value is None else f"{rate.system} {rate.win_rate.value:.0%}"


def _win_rate_table(rates: Sequence[WinRate], judge: str, opponent: str) -> Table:
    ordered = any(rate.first_shown_wins.value is not None for rate in rates)
    order_columns = (
        Column("First shown wins", "Share of preferences that went to the text shown first, %; 50 is fair.", "", 100),
        Column("Consistent", "Pairs judged in both orders that got one answer, of all such pairs."),
    )
    columns = (
        Column("System"),
        Column("Win rate", "Share of documents on which it is preferred, a tie ½, %.", "higher", 100, field="outcome"),
        Column(
            "At equal length",
            "The same by logistic regression on log(length ratio), read at ratio 1, % (Stiennon et al. 2020, app. F).",
            "higher",
            100,
        ),
        Column("Wins", digits=0),
        Column("Ties", "Same-text pairs are ties too.", digits=0),
        Column("Losses", digits=0),
        Column("Failures", "Verdicts that the judge did not give; they take no part.", digits=0),
        Column("Unjudged", "Documents that the judge said nothing of.", digits=0),
        Column("Words", "Mean length."),
        Column("Opponent's words", "Mean length of the opponent's texts."),
        *(order_columns if ordered else ()),
    )
    rows = []
    for rate in rates:
        counts = (rate.wins, rate.ties, rate.losses, rate.failures, rate.unjudged)
        order = (cell(rate.first_shown_wins), Cell(f"{rate.consistent} of {rate.both_orders}"))
        rows.append(
            Row(
                (
                    Cell(rate.system),
                    cell(rate.win_rate),
                    cell(rate.length_controlled),
                    *(Cell(count) for count in counts),
                    cell(rate.words, "nothing was judged" if rate.words is None else ""),
                    cell(rate.words_against, "nothing was judged" if rate.words_against is None else ""),
                    *(order if ordered else ()),
                ),
                f'judge = "{judge}", system = "{rate.system}", against = "{rate.against}"',
            )
        )
    return Table(f"Win rates against {opponent}, judged by {judge}.", columns, tuple(rows), file="verdicts.jsonl")


def differences_table(
    differences: Sequence[Difference], metrics: Sequence[str] = QUALITY, *, caption: str = "Paired differences."
) -> Table:
    """Each system minus a baseline, paired by document: a row a pair, a difference and its p a metric."""
    pairs: dict[tuple[str, str], dict[str, Difference]] = {}
    for found in differences:
        if found.metric in metrics:
            pairs.setdefault((found.a, found.b), {})[found.metric] = found
    shown = [metric for metric in metrics if any(metric in own for own in pairs.values())]
    columns = [Column("Systems")]
    for metric in shown:
        name = COLUMNS[metric].name
        columns.append(Column(name, "Mean difference over documents that both summarized.", digits=2))
        columns.append(Column("p", f"Of {name}: two-sided paired permutation test; not corrected for the rows."))
    rows = [
        Row(
            (Cell(f"{a} − {b}"), *chain.from_iterable(_difference(own.get(metric), metric) for metric in shown)),
            f'system = "{a}" and "{b}"',
        )
        for (a, b), own in pairs.items()
    ]
    return Table(caption, tuple(columns), tuple(rows), file="outputs.jsonl")


def _difference(found: Difference | None, metric: str) -> tuple[Cell, Cell]:
    if found is None:
        return Cell(None, why="not measured"), Cell("–")
    p = "–" if found.p_value is None else "<0.001" if found.p_value < 0.001 else f"{found.p_value:.3f}"
    return cell(found, scale=COLUMNS[metric].scale), Cell(p)


def seeds_table(caption: str, rows: Mapping[str, Seeds], *, scale: float = 1.0, digits: int = 1) -> Table:
    """Numbers over several runs: mean, standard deviation over seeds, and each."""
    seeds = list(dict.fromkeys(seed for own in rows.values() for seed in own.each))
    columns = (
        Column("System"),
        Column("Mean", "Over seeds.", "higher", scale, digits),
        Column("SD", "Sample standard deviation over seeds.", "", scale, digits),
        *(Column(f"Seed {seed}", "", "", scale, digits) for seed in seeds),
    )
    return Table(
        caption,
        columns,
        tuple(
            Row(
                (
                    Cell(name),
                    Cell(own.mean),
                    Cell(own.sd, why="" if own.sd is not None else "one seed"),
                    *(Cell(own.each.get(seed), why="" if seed in own.each else "not run") for seed in seeds),
                )
            )
            for name, own in rows.items()
        ),
    )


def win_rate_sentence(rate: WinRate, *, equal_length: bool = True) -> str:
    """A finding: who is preferred, if the interval says so, and on how many documents."""
    value = rate.win_rate
    if value.value is None or value.low is None or value.high is None:
        why = value.why or "there are too few documents"
        return f"By {rate.judge}, no win rate of {rate.system} against {rate.against} can be estimated: {why}."
    at_equal = f"; at equal length on {_at_equal_length(rate)}" if equal_length and _at_equal_length(rate) else ""
    verdict = "beats" if value.low > 0.5 else "loses to" if value.high < 0.5 else "cannot be told from"
    return (
        f"By {rate.judge}, {rate.system} {verdict} {rate.against}: it wins on {value.value:.0%} of {value.n} documents "
        f"[{value.low:.0%}, {value.high:.0%}], a tie counting half{at_equal}."
    )


def _at_equal_length(rate: WinRate) -> str:
    """The win rate at equal length, where it says anything: an interval from 0 to 1 says that length parts the two."""
    found = rate.length_controlled
    if found.value is None or found.low is None or found.high is None or found.high - found.low > SAYS_NOTHING:
        return ""
    return f"{found.value:.0%} [{found.low:.0%}, {found.high:.0%}]"
