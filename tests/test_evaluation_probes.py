"""Probes of judges: the edits by hand, what they find in judges whose answer is known, and what they leave out."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.evaluation.probes import edits
from precis.evaluation.probes.edits import NoEdit
from precis.evaluation.probes.genders import swapped_genders
from precis.evaluation.probes.making import (
    IDEAL,
    IMPROVED,
    PROBES,
    SHORTENED,
    edit_references,
    sandbox_edits,
    written_edits,
)
from precis.evaluation.probes.names import names_in, speakers_of
from precis.evaluation.probes.run import ProbeResult, probe_judge, rewards_by, scores_by
from precis.judges.length import LengthJudge
from precis.judges.oracle import OracleJudge
from precis.judges.reward import RewardJudge
from precis.models import reward_model_from_policy
from precis.records import Candidate, Document, Group, Maker
from precis.render import Renderer, Template
from precis.sandbox import documents, reference_summary
from tiny import TEXTS, tiny_policy

TALK = "Lena: I ordered gnomes.\nBen: How many?\nLena: Forty. Can you help?\nBen: Yes, on Friday.\nLena: Thanks!"
POST = (
    "Last week Maria Lopez lent Tom her car. He drove it to Rome. On Friday Tom came back without it. "
    "Maria Lopez was angry. Her sister laughed at him."
)


def group(text: str, reference: str, *, title: str = "", more: tuple[Candidate, ...] = ()) -> Group:
    source = Document(text, title=title)
    return Group(source, more, (Candidate(source.id, reference, Maker("reference", "people")),))


# Edits


def test_roles_are_swapped_by_hand() -> None:
    assert edits.swap_roles("Lena asks Ben to help. Ben's answer is yes.", TALK) == (
        "Ben asks Lena to help. Lena's answer is yes."
    )
    assert edits.swap_roles("Lena ordered forty gnomes.", TALK) == "Ben ordered forty gnomes."
    assert edits.swap_roles("Maria Lopez lent Tom a car, and Tom lost it in Rome.", POST) == (
        "Tom lent Maria Lopez a car, and Maria Lopez lost it in Rome."
    )
    tagged = "#Person1#: Are you well?\n#Person2#: I am.\n#Person1#: Good."
    assert edits.swap_roles("#Person1# asks #Person2#.", tagged) == "#Person2# asks #Person1#."
    assert edits.swap_roles("Benjamin asks Lena.", TALK) == "Benjamin asks Ben."  # a name is a whole word


@pytest.mark.parametrize(
    ("summary", "document", "why"),
    [
        ("They talk about gnomes.", TALK, "it names fewer than two people"),
        ("Lena and Ben talk. Ben, and Lena, agree.", TALK, "stand only side by side"),
        ("Somebody lost a car on Friday.", POST, "it names fewer than two people"),
    ],
)
def test_where_roles_cannot_be_swapped(summary: str, document: str, why: str) -> None:
    found = edits.swap_roles(summary.replace("Ben, and Lena", "Ben and Lena"), document)
    assert isinstance(found, NoEdit) and why in found.why


def test_names_are_capitals_inside_sentences() -> None:
    assert speakers_of(TALK) == ["Lena", "Ben"]
    assert speakers_of(POST) == []
    assert names_in("Maria Lopez was angry at Tom. Last Friday he was in Rome.", POST) == ["Maria Lopez", "Tom", "Rome"]
    assert names_in("Angry people laughed.", POST) == []


def test_genders_are_swapped_by_hand() -> None:
    assert swapped_genders("HE told her that she lost his car; it was hers, not his.") == (
        "SHE told him that he lost her car; it was his, not hers."
    )
    assert swapped_genders("My ex-husband's mother loves him and her dogs.") == (
        "My ex-wife's father loves her and his dogs."
    )
    assert isinstance(edits.swap_genders("The manager was ill."), NoEdit)


def test_the_other_edits_by_hand() -> None:
    rng = Random(0)
    assert edits.shuffle_sentences("One. Two.", rng) == "Two. One."
    assert edits.first_units(TALK, 2) == "Lena: I ordered gnomes.\nBen: How many?"
    assert edits.first_units(POST, 2) == "Last week Maria Lopez lent Tom her car. He drove it to Rome."
    drawn = edits.random_units(TALK, 3, rng)
    assert isinstance(drawn, str) and len(drawn.splitlines()) == 3
    assert edits.title_twice("My car", POST) == "My car. My car"
    assert edits.title_twice("", TALK) == "Lena: I ordered gnomes. Lena: I ordered gnomes."
    assert edits.append_question("Tom lost it") == "Tom lost it. What should I do?"
    assert edits.drop_last_sentence("Tom lost it. Maria is angry. She left.") == "Tom lost it. Maria is angry."
    assert edits.drop_clause("Tom sells his old bicycle because he moves to Rome.", rng) == "Tom sells his old bicycle."
    assert edits.cut_off("Tom wants to sell his, old bicycle today.") == "Tom wants to sell"
    assert edits.say_twice("Tom lost it") == "Tom lost it. Tom lost it"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (edits.shuffle_sentences("One. One.", Random(0)), "one sentence"),
        (edits.first_units("A dog barked. It ran.", 2), "no more than 2"),
        (edits.random_units("A dog barked.", 3, Random(0)), "no more than 3"),
        (edits.append_question("I am lost. what should I do?"), "ends in that question"),
        (edits.drop_last_sentence("One."), "one sentence"),
        (edits.drop_clause("Tom is sad.", Random(0)), "no sentence has a clause"),
        (edits.cut_off("Tom is sad."), "fewer than six"),
    ],
)
def test_an_edit_that_does_not_apply_says_why(found: edits.Edit, why: str) -> None:
    assert isinstance(found, NoEdit) and why in found.why


@given(
    st.lists(st.text("ab .,é'\n:", min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=5),
    st.text("AB cd.!\n:", min_size=1, max_size=60).filter(str.strip),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_edits_depend_on_the_seed_alone_and_change_something(texts: list[str], document: str, seed: int) -> None:
    groups = [group(f"{document} {place}", text) for place, text in enumerate(texts)]
    found = edit_references(groups, seed=seed)
    assert found == edit_references(groups, seed=seed)
    assert all(own.text != own.original for own in found.edited)
    for probe in PROBES:
        applied = sum(own.probe == probe.name for own in found.edited)
        assert applied + sum(found.left_out[probe.name].values()) == len(groups)


def test_another_seed_draws_other_edits() -> None:
    groups = [group(POST, "One. Two. Three. Four. Five."), group(TALK, "Six. Seven. Eight. Nine.")]
    assert edit_references(groups, seed=1) == edit_references(groups, seed=1) != edit_references(groups, seed=2)


def test_people_s_improvements_and_the_shorter_ones() -> None:
    source = Document(POST)
    reference = Candidate(source.id, "Tom took a car that was not his.", Maker("reference", "people"))
    person = Maker("annotator", "worker-1")
    better = Candidate(source.id, "Tom lost Maria's car.", person, parent=reference.id)
    longer = Candidate(source.id, "Tom lost the car that Maria Lopez had lent to him.", person, 1, parent=reference.id)
    unrelated = Candidate(source.id, "Another.", person, 2)
    found = written_edits([Group(source, (better, longer, unrelated), (reference,))])
    assert [(own.probe, own.text) for own in found.edited] == [
        (IMPROVED, better.text), (SHORTENED, better.text), (IMPROVED, longer.text),
    ]  # fmt: skip


# Judges


def by_name(results: list[ProbeResult]) -> dict[str, ProbeResult]:
    return {result.probe: result for result in results}


def test_a_judge_of_length_is_found_out() -> None:
    groups = [
        group(TALK.replace("Forty", str(n)), f"Lena asks Ben whether he can help, because she ordered {n} gnomes. Yes.")
        for n in range(8)
    ]
    edited = edit_references(groups)
    found = by_name(probe_judge("length", scores_by(LengthJudge()), groups, edited, quiet=True))
    for probe, share in {
        "said twice": 0,
        "question appended": 0,
        "cut off in the middle": 1,
        "clause dropped": 1,
    }.items():
        assert found[probe].right.value == share, probe
        assert found[probe].verdict == ("right" if share else "wrong")
    # All eight say the same: the exact binomial interval (Clopper and Pearson): 0.025^(1/8) = 0.6306.
    assert found["cut off in the middle"].right.low == pytest.approx(0.6306, abs=1e-4)
    swapped = found["roles swapped"]
    assert (swapped.right.value, swapped.ties, swapped.verdict) == (0.5, 8, "blind")
    assert found["question appended"].shift.value == 4
    assert found["said twice"].length == pytest.approx(2)
    # Length gives an empty text no score: said, not counted as zero.
    assert (found["empty"].edits, found["empty"].unscored, found["empty"].right.value) == (0, 8, None)
    title = found["another document's title"]
    assert title.left_out == {"no other document has a title": 8} and title.right.n == 0


def test_the_oracle_scores_almost_all_probes_as_they_deserve() -> None:
    groups = [
        Group(document, (), (reference_summary(document, seed=3),)) for document in documents(6, seed=3, split="test")
    ]
    edited, sandboxed = edit_references(groups), sandbox_edits(groups, seed=3)
    found = by_name(probe_judge("oracle", scores_by(OracleJudge()), groups, edited, quiet=True))
    for probe in ("roles swapped", "another document's summary", "said twice", "cut off in the middle", "empty"):
        assert found[probe].right.value == 1, probe
    assert found["sentences shuffled"].verdict == "blind"
    cheated = by_name(probe_judge("oracle", scores_by(OracleJudge()), groups, sandboxed, quiet=True))
    assert cheated[IDEAL].good == "prefer" and cheated[IDEAL].right.value == 1
    cheats = [result.right.value for result in cheated.values() if result.good == "reject"]
    assert len(cheats) > 12 and all(value is not None and value > 0.8 for value in cheats)


def test_a_reward_model_is_probed_with_empty_texts_too() -> None:
    policy = tiny_policy()
    renderer = Renderer(policy.tokenizer, Template("{document}\n\n"), max_prefix_tokens=70)
    judge = RewardJudge(reward_model_from_policy(policy, seed=0), renderer, pad_id=policy.pad_id, name="tiny")
    groups = [group(text, text[:length].strip()) for text, length in zip(TEXTS, (30, 30, 30, 30, 75))]
    found = by_name(probe_judge("tiny", rewards_by(judge), groups, edit_references(groups), chunk=2, quiet=True))
    assert (found["empty"].edits, found["empty"].unscored) == (5, 0)
    # The model has 128 positions: the longest text, said twice, does not fit beside its document, and is counted.
    assert (found["said twice"].edits, found["said twice"].unscored) == (4, 1)
    # Each shift is the difference of two rewards, scored here one by one.
    scores = rewards_by(judge)
    source = groups[0].source
    pair = [Candidate(source.id, text, Maker("rule", "x")) for text in ("", groups[0].references[0].text)]
    alone = probe_judge("tiny", scores, groups[:1], edit_references(groups[:1]), quiet=True)
    empty, full = scores([Group(source, tuple(pair))])[0]
    assert empty is not None and full is not None
    assert by_name(alone)["empty"].shift.value == pytest.approx(empty - full, abs=1e-5)
