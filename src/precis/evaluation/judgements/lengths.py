"""What length does to stored comparisons: every two systems raw and at equal length, and how often the longer wins.

Stiennon et al. 2020, appendix F. Each comparison counts once, as in published win rates; intervals resample documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..events import event_mean, event_share
from ..lengthcontrol import LengthControl, length_controlled
from ..statistics import RESAMPLES, Estimate, not_estimable
from ..winrates import Verdict, Verdicts, WinRate, win_rate
from .choices import Choice, oriented, systems_in, table_order, word_counts


@dataclass(frozen=True)
class SystemLength:
    """One system's candidates that were compared (each counts once), and what became of its comparisons.

    `words` is their mean length; `ratio` the geometric mean of their words over those of the document's reference
    summary, None where no reference was compared. `win_rate` is against all opponents together, whoever they were.
    """

    system: str
    candidates: int
    words: Estimate
    ratio: Estimate
    comparisons: int
    win_rate: Estimate


@dataclass(frozen=True)
class LongerWins:
    """Share of comparisons that the longer text won (indifference ½), over `comparisons` of unequal lengths."""

    name: str
    share: Estimate
    comparisons: int
    equal: int


@dataclass(frozen=True)
class LengthAnalysis:
    """`pairs` share one `length_effect`: the change of the logit when a text is e times as long as the other.

    `same_system` comparisons are between two texts of one system: they tell of length, not of systems. `empty` have
    a side without words and take no part in length control; `identical` are of the same text twice, and count ½.
    """

    judge: str
    comparisons: int
    pairs: tuple[WinRate, ...]
    length_effect: Estimate
    longer: LongerWins
    longer_by_pair: tuple[LongerWins, ...]
    systems: tuple[SystemLength, ...]
    same_system: int
    empty: int
    identical: int


def length_analysis(
    choices: Sequence[Choice], *, judge: str = "people", resamples: int = RESAMPLES, seed: int = 0
) -> LengthAnalysis:
    """`LengthAnalysis` of all choices together; `judge` names who chose."""
    names, words = systems_in(choices), word_counts(choices)
    by_pair: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for choice in choices:
        sides = names[choice.a.maker.id], names[choice.b.maker.id]
        by_pair[oriented(*sides)].append(_verdict(choice, words, swapped=oriented(*sides) != sides))
    pairs = {pair: by_pair[pair] for pair in sorted(by_pair)}
    controls = _controls(pairs)
    rates = [
        _win_rate(pair, verdicts, controls[" / ".join(pair)], judge, resamples, seed)
        for pair, verdicts in pairs.items()
        if pair[0] != pair[1]
    ]
    effects = [c.length_effect for c in controls.values() if c.length_effect.value is not None]
    refused = next((c.length_effect for c in controls.values()), not_estimable("nothing was judged"))
    everything = [verdict for verdicts in pairs.values() for verdict in verdicts]
    return LengthAnalysis(
        judge=judge,
        comparisons=len(choices),
        pairs=tuple(rates),
        length_effect=effects[0] if effects else refused,
        longer=longer_wins("all", everything, resamples=resamples, seed=seed),
        longer_by_pair=tuple(
            longer_wins(_label(pair), verdicts, resamples=resamples, seed=seed) for pair, verdicts in pairs.items()
        ),
        systems=tuple(_systems(choices, names, words, resamples, seed)),
        same_system=sum(len(verdicts) for pair, verdicts in pairs.items() if pair[0] == pair[1]),
        empty=sum(not (verdict.words_a and verdict.words_b) for verdict in everything),
        identical=sum(choice.identical for choice in choices),
    )


def _label(pair: tuple[str, str]) -> str:
    return f"{pair[0]} / {pair[1]}" if pair[0] != pair[1] else f"{pair[0]}, two samples"


def _verdict(choice: Choice, words: Mapping[str, int], *, swapped: bool) -> Verdict:
    a, b = (choice.b, choice.a) if swapped else (choice.a, choice.b)
    outcome = 1 - choice.outcome if swapped else choice.outcome
    if choice.identical:
        outcome = 0.5  # whatever was said: there is nothing to prefer
    first = choice.shown_first
    if swapped and first is not None:
        first = "b" if first == "a" else "a"
    return Verdict(choice.document, a.id, b.id, outcome, words[a.id], words[b.id], first)


def _controls(pairs: Mapping[tuple[str, str], Sequence[Verdict]]) -> dict[str, LengthControl]:
    """Every pair of systems at equal length, with one effect of length; two texts of one system are even there."""
    rows = [(" / ".join(pair), v) for pair, verdicts in pairs.items() for v in verdicts if v.words_a and v.words_b]
    found = length_controlled(
        [verdict.outcome for _, verdict in rows],
        [float(np.log(verdict.words_a / verdict.words_b)) for _, verdict in rows],
        systems_N=[label for label, _ in rows],
        documents_N=[verdict.document for _, verdict in rows],
        each="event",
    )
    nothing = LengthControl(not_estimable("nothing was judged"), not_estimable("nothing was judged"))
    return {" / ".join(pair): found.get(" / ".join(pair), nothing) for pair in pairs}


def _win_rate(
    pair: tuple[str, str],
    verdicts: Sequence[Verdict],
    control: LengthControl,
    judge: str,
    resamples: int,
    seed: int,
) -> WinRate:
    rate = win_rate(
        Verdicts(tuple(verdicts)), system=pair[0], against=pair[1], judge=judge, resamples=resamples, seed=seed
    )
    share = event_share([v.outcome for v in verdicts], [v.document for v in verdicts], resamples=resamples, seed=seed)
    return replace(
        rate,
        win_rate=share,
        length_controlled=control.win_rate,
        length_effect=control.length_effect,
        notes=(control.note,) if control.note else (),
    )


def longer_wins(name: str, verdicts: Sequence[Verdict], *, resamples: int = RESAMPLES, seed: int = 0) -> LongerWins:
    """How often the text with more words was preferred."""
    unequal = [v for v in verdicts if v.words_a != v.words_b]
    hits = [v.outcome if v.words_a > v.words_b else 1 - v.outcome for v in unequal]
    share = event_share(hits, [v.document for v in unequal], resamples=resamples, seed=seed)
    return LongerWins(name, share, len(unequal), len(verdicts) - len(unequal))


def _systems(
    choices: Sequence[Choice], names: Mapping[str, str], words: Mapping[str, int], resamples: int, seed: int
) -> list[SystemLength]:
    texts = {side.id: side for choice in choices for side in (choice.a, choice.b)}
    reference = {
        text.source_id: words[text.id] for text in texts.values() if text.maker.role == "reference" and words[text.id]
    }
    outcomes: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for choice in choices:
        sides = names[choice.a.maker.id], names[choice.b.maker.id]
        if sides[0] != sides[1]:
            outcome = 0.5 if choice.identical else choice.outcome
            outcomes[sides[0]].append((choice.document, outcome))
            outcomes[sides[1]].append((choice.document, 1 - outcome))
    found = []
    for name in sorted(set(names.values()), key=table_order):
        own = [text for text in texts.values() if names[text.maker.id] == name]
        rows = [(t.source_id, float(np.log(words[t.id] / reference[t.source_id]))) for t in own
                if t.source_id in reference and words[t.id]]  # fmt: skip
        log_ratio = event_mean([ratio for _, ratio in rows], [d for d, _ in rows], resamples=resamples, seed=seed)
        found.append(
            SystemLength(
                name,
                len(own),
                event_mean([words[t.id] for t in own], [t.source_id for t in own], resamples=resamples, seed=seed),
                _exponential(log_ratio) if rows else not_estimable("no reference summary was compared"),
                len(outcomes[name]),
                event_share(
                    [outcome for _, outcome in outcomes[name]],
                    [document for document, _ in outcomes[name]],
                    resamples=resamples,
                    seed=seed,
                ),
            )
        )
    return found


def _exponential(logs: Estimate) -> Estimate:
    value, low, high = (None if end is None else float(np.exp(end)) for end in (logs.value, logs.low, logs.high))
    return Estimate(value, low, high, logs.n, logs.why, logs.missing)
