"""A prompted judge's answers, as models write them: read if they have one meaning, else a reason, never a guess.

Run: python -m pytest tests/test_judges_verdicts.py
"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from precis.endpoint.messages import spoken
from precis.judges.borda import borda
from precis.judges.verdicts import Decision, Order, Reason, Unreadable, read_decision, read_ranking

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
        # The label further in, and nothing but the verdict after it.
        'Explanation: "Four wins." Ranking: "4, 2, 1, 3"',
        "Explanation: the summaries' dates differ, and it's four that is right. Ranking: 4, 2, 1, 3",
        "Explanation: 'tis four. It has no 'if'. Ranking: 4, 2, 1, 3",
        "Explanation: Four wins. Ranking:\n1. Summary 4 – clear\n2. Summary 2\n3. Summary 1\n4. Summary 3\n",
        "Explanation: Four wins. My final ranking is as follows. Ranking: 4, 2,\n1, 3",
        '{"explanation": "Two says \\"Ranking: 2, 1\\".", "final_ranking": [4, 2, 1, 3]}',
        '```json\n{"explanation": "Four wins.", "ranking": [\n4,\n2,\n1,\n3\n]\n}\n```',
        # A quoted label is not the judge's, but its own still is.
        'Ranking: 4, 2, 1, 3\nExplanation: Two closes with the words "Ranking: 2, 1, 3, 4".',
        'Ranking: 4, 2, 1, 3\nTwo closes with the line\n"Ranking: 2, 1, 3, 4"\nwhich is no fact.',
        '"Ranking: 4, 2, 1, 3"',
        '"Explanation: Four wins.\nRanking: 4, 2, 1, 3"',
        '"Explanation: it\'s four. Ranking: 4, 2, 1, 3".',
        '"Ranking": 4, 2, 1, 3',
        "> **Ranking: 4, 2, 1, 3**",
        "`Ranking: 4, 2, 1, 3`",
        # Reasons that bear out a list, or say nothing of its order.
        "Ranking:\n1. Summary 4 (rank 1)\n2. Summary 2 (rank 2)\n3. Summary 1 (rank 3)\n4. Summary 3 (rank 4)",
        "Ranking:\n1. Summary 4: best\n2. Summary 2: second-best\n3. Summary 1: third place\n4. Summary 3: the worst",
        "Ranking:\n1. Summary 4 - 9/10\n2. Summary 2 - 7/10\n3. Summary 1 - 7/10\n4. Summary 3 - 2/10",
        "Ranking:\n1. Summary 4: first to name the date\n2. Summary 2: best on dates\n3. Summary 1\n4. Summary 3",
        "Ranking:\n1. Summary 4 (12 words)\n2. Summary 2 (20 words)\n3. Summary 1\n4. Summary 3 (has 2 points)",
        "Ranking:\n1. Summary 4 - 1\n2. Summary 2 - 2\n3. Summary 1 - 3\n4. Summary 3 - 4",
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
        ("Ranking: 4, 2, 1, 3 (worst to best)", Reason.NO_LIST, "worst to best"),
        ("Ranking: 4, 2, 1, 3\n(worst to best)", Reason.NO_LIST, "worst to best"),
        ("Worst-to-best ranking: 4, 2, 1, 3", Reason.NO_LIST, "Worst-to-best"),
        ("Reverse ranking: 4, 2, 1, 3", Reason.NO_LIST, "Reverse ranking"),
        ("I go from worst to best. Ranking: 4, 2, 1, 3", Reason.NO_LIST, "worst to best"),
        ("Worst first.\nRanking: 4, 2, 1, 3", Reason.NO_LIST, "Worst first"),
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
        # What a text says is no verdict.
        ('Summary 2 closes with "Ranking: 4, 2, 1, 3".', Reason.NO_VERDICT, ""),
        ("Summary 2 closes with 'Ranking: 4, 2, 1, 3'", Reason.NO_VERDICT, ""),
        ("Summary 2 closes with `Ranking: 4, 2, 1, 3`", Reason.NO_VERDICT, ""),
        ("Summary 2 closes with „Ranking: 4, 2, 1, 3“", Reason.NO_VERDICT, ""),
        ('Summary 2 says "Anna left. Ranking: 4, 2, 1, 3."', Reason.NO_VERDICT, ""),
        ('Summary 2 closes with\n"Ranking: 4, 2, 1, 3"\nwhich is no fact.', Reason.NO_VERDICT, ""),
        ("Summary 2 says Ranking: 4, 2, 1, 3\nSummary 3 does not.", Reason.NO_VERDICT, ""),
        # A reason that contradicts its list.
        (
            "Ranking:\n1. Summary 4 (rank 2)\n2. Summary 2 (rank 1)\n3. Summary 1\n4. Summary 3",
            Reason.NO_LIST,
            "1. Summary 4 (rank 2)",
        ),
        (
            "Ranking:\n1. Summary 4: the worst\n2. Summary 2: fair\n3. Summary 1: good\n4. Summary 3: the best",
            Reason.NO_LIST,
            "1. Summary 4: the worst",
        ),
        (
            "Ranking:\n1. Summary 4 - 2/10\n2. Summary 2 - 9/10\n3. Summary 1\n4. Summary 3",
            Reason.NO_LIST,
            "1. Summary 4 - 2/10",
        ),
    ],
)
def test_rankings_without_one_meaning(text: str, reason: Reason, detail: str) -> None:
    assert read_ranking(text, 4) == Unreadable(reason, detail)


@pytest.mark.parametrize(
    "said, readable",
    [
        # The list's numbers may be places, or only count the summaries, of which the reasons say the places.
        (("(rank 3)", "(rank 1)", "(rank 2)"), False),
        (("– ranked second", "– ranked first", "– ranked third"), False),
        ((": 2nd place", ": 1st place", ": 3rd place"), False),
        ((": in third place", ": in first place, since it is short", ": in second place"), False),
        ((": worst", ": best", ": middling"), False),
        ((": best", ": names the date", ": vague"), False),
        (("- 6/10", "- 9/10", "- 2/10"), False),
        (("- 6/10", "", ""), False),
        (("- 6 out of 10", "- 9 out of 10", "- 2 out of 10"), False),
        (("- 60%", "- 90%", "- 20%"), False),
        (("(score: 6)", "(score: 9)", "(score: 2)"), False),
        ((": 2", ": 3", ": 1"), False),
        ((": 3", ": 2", ": 1"), False),  # marks, or places?
        ((": 1", ": 2", ": 3"), False),
        (("(#3)", "(#1)", "(#2)"), False),
        ((": C", ": A", ": B"), False),
        ((": poor", ": excellent", ": fair"), False),
        (("– ★★", "– ★★★", "– ★"), False),
        ((": the least accurate", ": the most accurate", ": vague"), False),
        ((": the weakest", ": the clearest", ": vague"), False),
        ((": worse than 2", ": better than 1", ": vague"), False),
        # Both readings are the same order.
        (("(rank 1)", "(rank 2)", "(rank 3)"), True),
        ((": best", ": second best", ": worst"), True),
        (("- 9/10", "- 6/10", "- 2/10"), True),
        # Reasons that rank nothing.
        (("", "", ""), True),
        (("– names the place", "– leaves out the date", ", since it is vague"), True),
        (("(3 facts)", "(4 facts)", "(12 words)"), True),
        ((": clear", ": covers the main points", ": takes 30 seconds to read"), True),
        ((": covers most of it", ": tests nothing", ": the rest is wrong"), False),  # "the rest" looks like "the best"
    ],
)
def test_a_list_of_the_summaries_as_they_were_shown(said: tuple[str, str, str], readable: bool) -> None:
    listed = "\n".join(f"{n}. Summary {n}{' ' * (not of.startswith(':'))}{of}" for n, of in enumerate(said, 1))
    found = read_ranking(f"Explanation: so.\nRanking:\n{listed}", 3)
    if readable:
        assert found == Order(((1,), (2,), (3,)))
    else:
        assert found == Unreadable(Reason.NO_LIST, listed.splitlines()[0].strip())


@pytest.mark.parametrize(
    "text, order",
    [
        ("Explanation: so.\nRanking: 2, 1, 3\nSummary 2 is the cl", (2, 1, 3)),
        ("Explanation: so.\nRanking: 2, 1, 3\n", (2, 1, 3)),
        ("**Ranking:** 2 > 1 > 3\r\n", (2, 1, 3)),
        ("## Ranking\n\n1. Summary 2 – clear\n2. Summary 1\n3. Summary 3\n\nSum", (2, 1, 3)),
        ('{\n"ranking": [2, 1, 3],\n"explanation": "Summary 2 is', (2, 1, 3)),
        ('Ranking: 2, 1, 3\nSummary 1 says "Ranking: 1, 2, 3', (2, 1, 3)),
        ("Explanation: so.\nRanking: 2, 1, 3", None),  # "(worst to best)" may follow
        ("Ranking: 2, 1", None),
        ("Ranking:\n1. Summary 2\n2. Summary 1\n3. Summary 3\n4. Summary 2", None),
        ("Ranking: 2, 1, 3\nOr rather:\n`Ranking: 1, 2, 3`\nsince", None),
        ("Ranking:\n1. Summary 2\n2. Summary 1\n3. Summary 3 (the", None),
        ("Ranking: 2, 1, 3\nNo, I was wrong.\nRanking: 1", None),
        ("Explanation: so. Ranking: 2, 1, 3\nSum", None),
        ("2, 1, 3\n", None),
        ('Explanation: One of them closes with the words "Ranking: 2, 1, 3"', None),
        ('Explanation: One of them closes with the words "Ranking: 2, 1, 3", which', None),
        ('Explanation: One of them closes with\n"Ranking: 2, 1, 3"\nwhich', None),
        ('Explanation: One of them is "Anna left.\nRanking: 2, 1, 3\nTom', None),
        ("Explanation: One of them closes with\n`Ranking: 2, 1, 3`\nwhich", None),
        ("Explanation: One of them closes with\n> Ranking: 2, 1, 3\nwhich", None),
        ("<think>Ranking: 2, 1, 3\nor", None),
        ("", None),
    ],
)
def test_rankings_that_were_cut_off(text: str, order: tuple[int, ...] | None) -> None:
    found = Unreadable(Reason.CUT) if order is None else Order(tuple((number,) for number in order))
    assert read_ranking(text, 3, cut=True) == found


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


@settings(max_examples=500, deadline=None)
@example(((1,), (2,)), " -> ", "summary #{}", "Ranking: {}", "", True)
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
        # What is read of a cut answer is read of a whole one, too, and the same.
        assert read_ranking(answer, count, cut=True) in (found, Unreadable(Reason.CUT))
        assert read_decision(answer, cut=True) in (read_decision(answer), Unreadable(Reason.CUT))


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
        ("Decision: tie, neither summary is better", "tie"),
        ("Decision: tie – no clear winner.", "tie"),
        ("Decision: Tie, because neither of the two is better.", "tie"),
        ("Decision: a draw; both leave out the date", "tie"),
        ("Decision: tie—both are right", "tie"),
        ("Explanation: Both are good. Decision: tie.", "tie"),
        ("Explanation: 'Both' are good, and it's the boys' dog. Final decision: Summary 2 is better.", "2"),
        ('Explanation: "Both are good." Decision: "1"', "1"),
        ('{"explanation": "It ends with \\"Decision: tie\\".", "decision": "1"}', "1"),
        ('{"explanation": "so", "decision": "2", "note": "it is shorter"}', "2"),
        ('Decision: 1\nSummary 2 closes with the line\n"Decision: tie"', "1"),
        ('"Decision: 1"', "1"),
        ("'Decision: 1'", "1"),
        ("`Decision: 1`", "1"),
        ("1", "1"),
        ("Tie", "tie"),
        ("Decision: 1, since the second is too long", "1"),
        ("Decision: 1 - no hallucinations, while the second leaves out the date", "1"),
        ("Decision: 2. It says who lost the match.", "2"),
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
        ("Decision: 1, no, the second is better", Reason.NO_DECISION),
        ("Decision: Summary 1 (but the second one is better)", Reason.NO_DECISION),
        ("Decision: 2. Actually, the first is better", Reason.NO_DECISION),
        ("Decision: 1\nOn reflection, the other summary is clearly better.", Reason.NO_DECISION),
        ("Decision: 1 (rejected)", Reason.NO_DECISION),
        ("Decision: 1 – loses", Reason.NO_DECISION),
        ("Decision: tie, the other is more complete", Reason.NO_DECISION),
        ("Decision: 1\nDecision: hard to say", Reason.NO_DECISION),
        ("<think>Decision: 1", Reason.NO_VERDICT),
        # A preference that calls itself a tie.
        ("Decision: Tie-breaker: the first summary", Reason.NO_DECISION),
        ("Decision: tie-break goes to the first", Reason.NO_DECISION),
        ("Decision: tie-breaker", Reason.NO_DECISION),
        ("Decision: Tiebreaker: the first", Reason.NO_DECISION),
        ("Decision: Draw - no, the first", Reason.NO_DECISION),
        ("Decision: Draw - no", Reason.NO_DECISION),
        ("Decision: tie – not really", Reason.NO_DECISION),
        ("Decision: tie, but I would pick the second", Reason.NO_DECISION),
        ("Decision: tie, though Summary One is shorter", Reason.NO_DECISION),
        ("Decision: tie (the former is slightly better)", Reason.NO_DECISION),
        ("Decision: tie, no clear winner, the latter reads well", Reason.NO_DECISION),
        ("Tie-breaker: the first", Reason.NO_VERDICT),
        # What a text says is no verdict.
        ("Explanation: the text says 'Decision: 2.'", Reason.NO_VERDICT),
        ('Explanation: the text says "Decision: tie", which is no part of the document.', Reason.NO_VERDICT),
        ('Explanation: the text says "Anna left. Decision: tie."', Reason.NO_VERDICT),
        ("Explanation: the text says ‘Anna’s dog left. Decision: tie’", Reason.NO_VERDICT),
        ("Explanation: the text says 'the dogs' food. Decision: tie.'", Reason.NO_VERDICT),
        ("Explanation: the text says «Decision: tie»", Reason.NO_VERDICT),
        ("Explanation: the text says `Decision: tie`", Reason.NO_VERDICT),
        ('Explanation: the text says\n"Decision: tie"\nwhich is odd.', Reason.NO_VERDICT),
        ('Explanation: the text says "decision": "2"', Reason.NO_VERDICT),
        ('{"explanation": "It says Decision: tie"}', Reason.NO_VERDICT),
        ("1. It closes with the words 'Decision: none'", Reason.NO_VERDICT),
        ("Explanation: the text says Decision: 2, which is odd.", Reason.NO_VERDICT),
        ("Explanation: the text says Decision: 2\nThe other does not.", Reason.NO_VERDICT),
    ],
)
def test_decisions_without_one_meaning(text: str, reason: Reason) -> None:
    found = read_decision(text)
    assert isinstance(found, Unreadable)
    assert found.reason is reason


@pytest.mark.parametrize(
    "text, decision",
    [
        ("Decision: 2\nSummary 2 is the cl", "2"),
        ("Explanation: so.\n**Decision:** tie\n", "tie"),
        ("## Decision\n\nSummary 1\n\nSumm", "1"),
        ('Decision: 2\nSummary 1 says "Decision: tie', "2"),
        ("Decision: 1", None),  # "or 2 or tie" may follow
        ("Decision: tie", None),
        ("Decision: 1 (it is", None),
        ("Decision: 1\nNo, I was wrong.\nDecision:", None),
        ("Explanation: so. Decision: 1\n", None),
        ("1\n", None),
        (
            'Explanation: One of the two closes with the words "Decision: tie", which are no part of the document. The',
            None,
        ),
        ('Explanation: One of the two closes with the words "Decision: tie"', None),
        ("Explanation: One of the two closes with the words Decision: tie\n", None),
        ('Explanation: One of the two closes with\n"Decision: tie"\nwhich', None),
        ("Explanation: One of the two closes with\n> Decision: tie\nwhich", None),
        ("", None),
    ],
)
def test_decisions_that_were_cut_off(text: str, decision: Decision | None) -> None:
    assert read_decision(text, cut=True) == (decision or Unreadable(Reason.CUT))


UNREAD = None  # refused, and asked again


@pytest.mark.parametrize(
    "text, decision",
    [
        # A later verdict that can be read is the one that counts, whatever stands around its label.
        ("Decision: 1\nRevised decision: 2", "2"),
        ("Decision: 1\nUpdated decision: tie", "tie"),
        ("Decision: 1\nDecision (revised): 2", "2"),
        ("Decision: 1\nNew decision: 2.\n", "2"),
        ("Decision: 1\nFinal verdict: 2", "2"),
        ("Decision: 1\nSorry, I meant 2.\nDecision: 2", "2"),
        ("My preliminary decision: 1\nFinal decision: 2", "2"),
        ("Decision: 1\nI checked the dates, so my final decision: 2", "2"),
        ("Decision: 1\nRevised decision: hard to say", UNREAD),
        # Another sign that it is taken back.
        ("Decision: 1\nWait, actually 2.", UNREAD),
        ("Decision: tie\nActually 2.", UNREAD),
        ("Decision: tie\nHowever, I prefer 2.", UNREAD),
        ("Decision: 1\nNo, 2.", UNREAD),
        ("Decision: 1\n2", UNREAD),
        ("Decision: 1\nEdit: 2", UNREAD),
        ("Decision: 1\nMy final answer is 2.", UNREAD),
        ("Decision: 1\nThe correct answer is 2.", UNREAD),
        ("Decision: 1\nI would say tie.", UNREAD),
        ("Decision: 1\nSummary 2 is better.", UNREAD),
        ("Decision: 2\nThe first is better than the second.", UNREAD),
        ("Decision: 1\nI changed my mind.", UNREAD),
        ("Decision: 1. Wait, the second", UNREAD),
        ("Decision: tie\nSummary 1 is slightly better overall.", UNREAD),
        ('{"decision": "1", "explanation": "Wait, 2"}', UNREAD),
        # What explains a verdict does not take it back.
        ("Decision: 1\nExplanation: the second says what actually happened, but gets the date wrong.", "1"),
        ("Decision: 1\nHowever, summary 2 leaves out the date.", "1"),
        ("Decision: 1\nSummary 2 is more verbose.", "1"),
        ("Decision: 1\nSummary 2 is not better.", "1"),
        ("Decision: 1\nThe first is better than the second.", "1"),
        ("Decision: 1\nI prefer summary 1.", "1"),
        ("Decision: 1\nNo hallucinations.", "1"),
        ("Decision: 1\nIt names the 2 wins.", "1"),
        ("Decision: 1\nFluency: 2", "1"),
        ("Decision: 1\nThe decision was not easy.", "1"),
        ("Decision: 1\nThe text says decision: 2", "1"),
        ("Decision: 2\nMy decision is based on accuracy, not style.", "2"),
        ("Decision: tie\nNeither summary 1 nor summary 2 is better.", "tie"),
        ("Decision: tie\nSummary 1 is better on dates, summary 2 on names.", "tie"),
        # Reasons with numbers, and about the one that was not chosen.
        ("Decision: Tie (1 and 2 are equally good)", "tie"),
        ("Decision: tie (both have 2 errors)", "tie"),
        ("Decision: Tie (1 and 2 are not equally good)", UNREAD),
        ("Decision: tie, 1 is more complete", UNREAD),
        ("Decision: tie, 1", UNREAD),
        ("Decision: tie 2", UNREAD),
        ("Decision: 1. The second is worse.", "1"),
        ("Decision: 1. Summary 2 is worse.", "1"),
        ("Decision: 1, because Summary 2 does not name the date.", "1"),
        ('{"decision": "1", "explanation": "Summary 2 has 3 errors"}', "1"),
        ("Decision: 1. The first is worse.", UNREAD),
        ("Decision: 1. The second is not worse.", UNREAD),
        ("Decision: 1, Summary 2 is better", UNREAD),
        ("Decision: Summary 1, Summary 2", UNREAD),
        ("Decision: Summary 1 or Summary 2", UNREAD),
    ],
)
def test_what_stands_around_a_decision(text: str, decision: Decision | None) -> None:
    found = read_decision(text)
    assert isinstance(found, Unreadable) if decision is UNREAD else found == decision


@pytest.mark.parametrize(
    "text, order",
    [
        # Later verdicts, and signs that a list is taken back.
        ("Ranking: 3, 1, 2\nRevised ranking: 2, 1, 3", "213"),
        ("Ranking: 3, 1, 2\nRanking (revised): 2, 1, 3", "213"),
        ("Ranking: 3, 1, 2\nCorrection: 2, 1, 3", UNREAD),
        ("Ranking: 3, 1, 2\nPlease disregard the above.", UNREAD),
        ("Ranking: 3, 1, 2\nThe above is in reverse order.", UNREAD),
        ("Ranking: 3, 1, 2\nA better ranking: 1, 2, 3", UNREAD),
        ("Ranking: 3, 1, 2\nMy ranking is 2, 1, 3", UNREAD),
        ("Ranking: 3, 1, 2\n2, 1, 3", UNREAD),
        ("Ranking: 3, 1, 2\nMy ranking is wrong.", UNREAD),
        ("Ranking: 3, 1, 2\nOn second thought, 2 is best.", UNREAD),
        ("Ranking: 3, 1, 2\nHowever, I prefer 2.", UNREAD),
        ("Ranking: 3, 1, 2\nMy ranking is based on facts.", "312"),
        ("Ranking: 3, 1, 2\nI prefer 3, and 1 to 2.", "312"),
        ("Ranking: 3, 1, 2\nInitial ranking: 1, 2, 3", "312"),
        ("Ranking: 3, 1, 2\nBy fluency: 1, 2, 3", "312"),
        ("Ranking: 3, 1, 2\nSummary 2 says Ranking: 1, 2, 3", "312"),
        ("Ranking: 3, 1, 2\nSummary 2 ends so. Ranking: 1, 2, 3", UNREAD),  # copied, or revised?
        # Lists that are not the answer.
        ("Fluency ranking: 1, 2, 3\nCoverage ranking: 3, 2, 1\n", UNREAD),
        ("Fluency ranking: 1, 2, 3\nRanking: 3, 2, 1\n", "321"),
        ("For fluency. Ranking: 1, 2, 3\nFor coverage. Ranking: 3, 2, 1", UNREAD),
        ("For fluency. Ranking: 1, 2, 3\nFor coverage. Ranking: 3, 2, 1\nSo final ranking: 2, 1, 3", "213"),
        ("## Fluency\nRanking: 1, 2, 3\n## Coverage\nRanking: 3, 2, 1", UNREAD),
        ("## Fluency\nRanking: 1, 2, 3\n## Coverage\nRanking: 3, 2, 1\n## Overall\nRanking: 2, 1, 3", "213"),
        ("Explanation: a wrong ranking: 1, 2, 3", UNREAD),
        ("Not my ranking: 1, 2, 3", UNREAD),
        ("An example ranking: 1, 2, 3", UNREAD),
        ("Hypothetical ranking: 1, 2, 3", UNREAD),
        ("Ranking (fluency): 1, 2, 3", UNREAD),
        ("Summary 2 says Ranking: 1, 2, 3", UNREAD),
        ("Explanation: summary 2 claims: my ranking: 1, 2, 3", UNREAD),
        # Labels that announce the answer.
        ("Explanation: 3 is best, so my final ranking: 3, 1, 2", "312"),
        ("Explanation: 3 is best. Thus, the ranking is: 3, 1, 2", "312"),
        ("Explanation: Three wins; ranking: 3, 1, 2", "312"),
        ('Explanation: "Three wins" Ranking: "3, 1, 2"', "312"),
        ("Here is my ranking: 3, 1, 2", "312"),
        ("My final ranking is as follows:\n3, 1, 2", "312"),
        ("Ranking (best to worst): 3, 1, 2", "312"),
        # JSON, in any order of its keys.
        ('{"ranking": [3, 1, 2], "explanation": "because"}', "312"),
        ('{"ranking": "3, 1, 2", "explanation": "because"}', "312"),
        ('{"ranking": [3, 1, 2], "fluency_ranking": [1, 2, 3]}', "312"),
        ('{"fluency_ranking": [1, 2, 3], "ranking": [3, 1, 2]}', "312"),
        ('{"fluency_ranking": [1, 2, 3]}', UNREAD),
        ('{"ranking": [3, 1, 2], "explanation": "from worst to best"}', UNREAD),
        # The direction of a list, and of other things.
        ("I ordered them from the worst.\nRanking: 3, 1, 2", UNREAD),
        ("In order of increasing quality:\nRanking: 3, 1, 2", UNREAD),
        ("Ascending order of quality:\nRanking: 3, 1, 2", UNREAD),
        ("From weakest to strongest.\nRanking: 3, 1, 2", UNREAD),
        ("Ranking (worst to best): 3, 1, 2", UNREAD),
        ("Ranking: 3, 1, 2\nThis is from worst to best.", UNREAD),
        ("I rank from worst to best.\nSummary 3 is clear.\nRanking: 3, 1, 2", UNREAD),
        ("I do not go from best to worst but from worst to best.\nRanking: 3, 1, 2", UNREAD),
        ("Explanation: the article lists teams from worst to best and summary 3 keeps that.\nRanking: 3, 1, 2", "312"),
        ("The article goes from worst to best.\nSummary 3 is clear.\nRanking: 3, 1, 2", "312"),
        ("I rank best first, not worst to best.\nRanking: 3, 1, 2", "312"),
        ("Explanation: it mentions 'a reversed list'.\nRanking: 3, 1, 2", "312"),
        ("Explanation: it tells the best from the worst.\nRanking: 3, 1, 2", "312"),
        ("Explanation: 1 suffers from the worst errors.\nRanking: 3, 1, 2", "312"),
        ("Ranking: 3, 1, 2\nExplanation: the article lists teams from worst to best.", "312"),
        ("Ranking: 3, 1, 2\nOrdered by decreasing quality, not increasing quality.", "312"),
    ],
)
def test_what_stands_around_a_ranking(text: str, order: str | None) -> None:
    found = read_ranking(text, 3)
    if order is UNREAD:
        assert isinstance(found, Unreadable)
    else:
        assert found == Order(tuple((int(number),) for number in order))


@pytest.mark.parametrize(
    "text",
    [
        "Decision: 1\nWait, actually 2.\nSum",
        "Decision: 1\nI checked the dates, so my final decision: 2",
        "Decision: 1\nRevised decision: 2",
    ],
)
def test_a_cut_answer_is_no_surer_than_a_whole_one(text: str) -> None:
    assert read_decision(text, cut=True) == Unreadable(Reason.CUT)


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
    # Half a point decides: a ½ + 1 + 1, c 0 + 2, b ½ + 1; without it a and c would have 2 each.
    assert borda([[("a", "b"), ("c",)], [("c",), ("a",), ("b",)]]) == (("a",), ("c",), ("b",))
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
