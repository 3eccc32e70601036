"""A prompted judge's answers, as models write them: read if they have one meaning, else a reason, never a guess.

Run: python -m pytest tests/test_judges_verdicts.py
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.judges.borda import borda
from precis.judges.verdicts import Order, Reason, Unreadable, read_decision, read_ranking, spoken

ORDER = Order(((4,), (2,), (1,), (3,)))


@pytest.mark.parametrize(
    "text",
    [
        'Explanation: "Summary 4 is best."\nRanking: "4, 2, 1, 3"',  # the paper's own form
        'Explanation: "Four wins."\nRanking: "4, 2, 1, 3',
        "Explanation: Four wins. Ranking: 4, 2, 1, 3",
        "Explanation:\n1. Summary 1 is short.\n2. Summary 2 is long.\n\nRanking: 4 > 2 > 1 > 3",
        "**Ranking:** 4, 2, 1, 3.",
        "**Ranking**: **4**, **2**, **1**, **3**",
        "Ranking: `4, 2, 1, 3`!",
        "## Ranking\n\n4\n2\n1\n3",
        "### Final Ranking (best to worst):\n4 > 2 > 1 > 3\n\nI hope this helps with your 3 questions.",
        "My ranking: “4”, “2”, “1”, “3”",
        "Ranking from best to worst: 4; 2; 1; 3",
        "Ranking: [4, 2, 1, 3]",
        "Ranking: (4, 2, 1, 3).",
        "Ranking: <4, 2, 1, 3>",
        "Ranking: [4] > [2] > [1] > [3]",
        '{"explanation": "Four wins.", "ranking": [4, 2, 1, 3]}',
        '{\n  "ranking": [\n    4,\n    2,\n    1,\n    3\n  ],\n  "explanation": "Four wins."\n}',
        '```json\n{"ranking": [4, 2, 1, 3]\n}\n```',
        "Ranking: 4, 2,\n1, 3",
        "Ranking: 4, 2, 1, 3,\nsince four is the best",
        "Ranking: 4., 2., 1., 3.",
        "Ranking: 4 2 1 3",
        "Ranking: 4, 2, 1, and 3",
        "Ranking: 4 -> 2 => 1 → 3",
        "Ranking: Summary 4 > Summary 2 > Summary 1 > Summary 3",
        "Ranking: #4, #2, summary #1, Summary_3",
        "Ranking: 1. Summary 4, 2. Summary 2, 3. Summary 1, 4. Summary 3",
        "Ranking: 1. Summary 4\n2. Summary 2\n3. Summary 1\n4. Summary 3",
        "Ranking:\n1. Summary 4\n2. Summary 2\n3. Summary 1\n4. Summary 3\n\nAll 4 are good.",
        "Ranking:\n1. **Summary 4** – has 3 facts\n\n2. **Summary 2**: beats 1\n\n3) Summary 1 (so)\n4: Summary 3",
        "Ranking:\n1. 4\n2. 2\n3. 1\n4. 3",
        "Ranking:\n- Summary 4\n- Summary 2\n- Summary 1\n- Summary 3",
        "Ranking: 4, 2, 1, 3\nExplanation: 4 tells 3 facts.",
        "Ranking: 1, 2, 3, 4\nBut summary 4 is the only right one, so:\nRanking: 4, 2, 1, 3",
        "The ranking: see below.\n\nRanking:\n4, 2, 1, 3",
        "<think>Ranking: 1, 2, 3, 4</think>\nRanking: 4, 2, 1, 3",
        "Ranking: 1, 2, 3, 4?</think>\n4, 2, 1, 3",
        "Ranking：４，２，１，３",
        "4, 2, 1, 3",
        "4\n2\n1\n3\n",
    ],
)
def test_rankings_with_one_meaning(text: str) -> None:
    assert read_ranking(text, 4) == ORDER


@pytest.mark.parametrize(
    "text, reason, detail",
    [
        ("", Reason.NO_VERDICT, ""),
        ("I cannot rank these.", Reason.NO_VERDICT, ""),
        ("Explanation: 4, 2, 1, 3 are my marks.", Reason.NO_VERDICT, ""),
        ("<think>Ranking: 4, 2, 1, 3", Reason.NO_VERDICT, ""),
        ("Ranking:", Reason.NO_LIST, ""),
        ("Ranking: Summary 4 is the best.", Reason.NO_LIST, "Summary 4 is the best."),
        ("Ranking: 4, 2, 1, 3 (worst to best)", Reason.NO_LIST, "4, 2, 1, 3 (worst to best)"),
        ("Ranking: 4 < 2 < 1 < 3", Reason.NO_LIST, "4 < 2 < 1 < 3"),
        ("Ranking: 4 >= 2, 1, 3", Reason.NO_LIST, "4 >= 2, 1, 3"),
        ("Ranking: 4-2-1-3", Reason.NO_LIST, "4-2-1-3"),
        ("Ranking: (4, 2), 1, 3", Reason.NO_LIST, "(4, 2), 1, 3"),  # a tie? an order?
        ("Ranking: 4 and 2, 1, 3", Reason.NO_LIST, "4 and 2, 1, 3"),
        ("Ranking: 1: 4, 2: 2, 3: 1, 4: 3", Reason.NO_LIST, "1: 4, 2: 2, 3: 1, 4: 3"),  # places, or summaries?
        ("Ranking:\nSummary 1: 3\nSummary 2: 2\nSummary 3: 4\nSummary 4: 1", Reason.NO_LIST, "Summary 1: 3"),
        ("Ranking:\n1. Summary 4\n3. Summary 2\n2. Summary 1\n4. Summary 3", Reason.NO_LIST, "1. Summary 4"),
        ("Ranking:\n1. Summary 4\nSummary 2\n3. Summary 1\n4. Summary 3", Reason.NO_LIST, "1. Summary 4"),
        ("Ranking: 1.5, 2, 3, 4", Reason.NO_LIST, "1.5, 2, 3, 4"),
        ("Ranking: <the 4 numbers, for example 4, 2, 1, 3>", Reason.NO_LIST, "<the 4 numbers, for example 4, 2, 1, 3>"),
        ("Ranking: 4, 2, 1", Reason.MISSING, "3"),
        ("Ranking: 4", Reason.MISSING, "1, 2, 3"),
        ("Ranking: 4, 2, 1, 3, 2", Reason.TWICE, "2"),
        ("Ranking: 1 = 4, 2 = 2, 3 = 1, 4 = 3", Reason.TWICE, "1, 2, 3, 4"),
        ("Ranking: 3, 1, 0, 2", Reason.UNKNOWN, "0"),
        ("Ranking: 4, 2, 1, 5", Reason.UNKNOWN, "5"),
        ("4, 2, 1", Reason.MISSING, "3"),
        # What was said last is what counts, and nobody knows whether what it revises still holds.
        ("Ranking: 4, 2, 1, 3\nNo, I was wrong.\nRanking: all are bad", Reason.NO_LIST, "all are bad"),
    ],
)
def test_rankings_without_one_meaning(text: str, reason: Reason, detail: str) -> None:
    assert read_ranking(text, 4) == Unreadable(reason, detail)


def test_two_summaries() -> None:
    assert read_ranking("Ranking: 2, 1", 2) == Order(((2,), (1,)))
    assert read_ranking("Ranking: 2 = 1", 2) == Order(((2, 1),))
    assert read_ranking("Ranking:\n1. 2\n2. 1", 2) == Order(((2,), (1,)))
    assert read_ranking("Ranking: 1. 2", 2) == Unreadable(Reason.MISSING, "1")


@st.composite
def tiers(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    count = draw(st.integers(2, 16))
    order = draw(st.permutations(range(1, count + 1)))
    found: list[tuple[int, ...]] = []
    for number in order:
        if found and draw(st.integers(0, 3)) == 0:
            found[-1] = (*found[-1], number)
        else:
            found.append((number,))
    return tuple(found)


@settings(max_examples=200, deadline=None)
@given(
    tiers(),
    st.sampled_from([", ", " > ", ",", " ; ", " -> ", "\n", "\n\n", "\n- "]),
    st.sampled_from(["{}", "Summary {}", "summary #{}", "**{}**", "[{}]"]),
    st.sampled_from(["Ranking: {}", 'Ranking: "{}"', "**Ranking:** {}.", "Ranking:\n{}", "# Ranking\n\n{}\n\nBye."]),
    st.sampled_from(["", "Explanation: Summary 1 has 2 faults.\n", "Ranking: 2, 1\n<think>hm</think>"]),
    st.booleans(),
)
def test_any_order_in_any_accepted_form_is_read_back(
    order: tuple[tuple[int, ...], ...], between: str, item: str, frame: str, before: str, marked: bool
) -> None:
    pieces = [" = ".join(item.format(number) for number in tied) for tied in order]
    if marked:
        pieces = [f"{place}. {piece}" for place, piece in enumerate(pieces, 1)]
    listed = between.join(pieces)
    if between == "\n- " and frame.startswith(("Ranking:\n", "#")):
        listed = f"- {listed}"
    count = sum(map(len, order))
    assert read_ranking(before + frame.format(listed), count) == Order(order)


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(2, 5))
def test_any_text_is_read_or_refused(text: str, count: int) -> None:
    for answer in (text, f"Ranking: {text}", f"Decision: {text}"):
        found = read_ranking(answer, count)
        named = [] if isinstance(found, Unreadable) else sorted(number for tied in found.tiers for number in tied)
        assert named in ([], [*range(1, count + 1)])
        assert read_decision(answer) in ("1", "2", "tie") or isinstance(read_decision(answer), Unreadable)


@pytest.mark.parametrize(
    "text, decision",
    [
        ("Decision: 1", "1"),
        ("Decision: 1.", "1"),  # the paper's parser fails here, though its prompt asks for it
        ("Decision: 2", "2"),
        ("Explanation: Both are good.\n**Decision:** 1", "1"),
        ("**Decision: 2**", "2"),
        ("Decision: Summary 1", "1"),
        ("Decision: Summary 2 is better.", "2"),
        ("Decision: Summary 2 is better than Summary 1", "2"),
        ("Decision: The summary 1 is the better one, since it names the place.", "1"),
        ("Decision: (2)", "2"),
        ("Decision: <1>", "1"),
        ("Decision: #2 – it is clearer", "2"),
        ("Decision: 1 (more complete)", "1"),
        ("Decision: 1, because it is shorter", "1"),
        ("## Decision\n\nSummary 2\n\nSummary 1 is vague.", "2"),
        ('{"explanation": "…", "decision": "1"}', "1"),
        ("Decision: 1\nNo: the date is wrong.\nFinal decision: 2", "2"),
        ("<think>Decision: 1</think>Decision: 2", "2"),
        ("Decision：２", "2"),
        ("Decision: tie", "tie"),
        ("Decision: Tie.", "tie"),
        ("Decision: TIE", "tie"),
        ("Decision: It's a tie", "tie"),
        ("Decision: It is a tie between Summary 1 and Summary 2.", "tie"),
        ("Decision: tie (both are equally good)", "tie"),
        ("Decision: tied", "tie"),
        ("1", "1"),
        ("Tie", "tie"),
    ],
)
def test_decisions_with_one_meaning(text: str, decision: str) -> None:
    assert read_decision(text) == decision


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", Reason.NO_VERDICT),
        ("I prefer the first.", Reason.NO_VERDICT),
        ("1 is better\nthan 2", Reason.NO_VERDICT),
        ("Decision:", Reason.NO_DECISION),
        ("Decision: 1 or 2 or tie", Reason.NO_DECISION),
        ("Decision: 1 or tie", Reason.NO_DECISION),
        ("Decision: neither", Reason.NO_DECISION),
        ("Decision: both", Reason.NO_DECISION),
        ("Decision: 1 and 2 are equal", Reason.NO_DECISION),
        ("Decision: not 1", Reason.NO_DECISION),
        ("Decision: not a tie", Reason.NO_DECISION),
        ("Decision: 3", Reason.NO_DECISION),
        ("Decision: 12", Reason.NO_DECISION),
        ("Decision: 1.5", Reason.NO_DECISION),
        ("Decision: 1-2", Reason.NO_DECISION),
        ("Decision: 1, 2", Reason.NO_DECISION),
        ("Decision: 1, though it is almost a tie", Reason.NO_DECISION),
        ("Decision: tie, but I lean to 1", Reason.NO_DECISION),
        ("Decision: 1 (worse)", Reason.NO_DECISION),
        ("Decision: 1\nDecision: hard to say", Reason.NO_DECISION),
        ("<think>Decision: 1", Reason.NO_VERDICT),
    ],
)
def test_decisions_without_one_meaning(text: str, reason: Reason) -> None:
    found = read_decision(text)
    assert isinstance(found, Unreadable)
    assert found.reason is reason


def test_thoughts_are_not_spoken() -> None:
    assert spoken("<think>a</think>b<THINK>c</THINK>d") == "bd"
    assert spoken("a</think>b") == "b"
    assert spoken("a <think>b") == "a "
    assert spoken("no thoughts") == "no thoughts"


def test_borda_by_hand() -> None:
    """A point for each item below, half of one for each beside: a 2 + 0 + 2, b 1 + 2 + ½, c 0 + 1 + ½."""
    orders = [[("a",), ("b",), ("c",)], [("b",), ("c",), ("a",)], [("a",), ("b", "c")]]
    assert borda(orders[:2]) == (("b",), ("a",), ("c",))
    assert borda(orders) == (("a",), ("b",), ("c",))
    assert borda([[("a",), ("b",)], [("b",), ("a",)]]) == (("a", "b"),)
    assert borda([[("a", "b"), ("c",)]]) == (("a", "b"), ("c",))
    assert borda([]) == ()
    with pytest.raises(ValueError, match="every item"):
        borda([[("a",)], [("b",)]])
    with pytest.raises(ValueError, match="every item"):
        borda([[("a",), ("a",)]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.permutations(range(5)), min_size=1, max_size=6))
def test_borda_is_the_order_of_mean_ranks(orders: list[list[int]]) -> None:
    joined = borda([[(item,) for item in order] for order in orders])
    total = {item: sum(order.index(item) for order in orders) for item in range(5)}
    assert [{total[item] for item in tied} for tied in joined] == [{rank} for rank in sorted(set(total.values()))]
