"""`evaluate_systems` on a small world whose numbers can be worked by hand, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from precis.errors import UserError
from precis.evaluation.baselines import rule_candidates
from precis.evaluation.plain import to_plain, write_jsonl
from precis.evaluation.systems import evaluate_systems, mean_differences, write_evaluation
from precis.records import Candidate, Document, Failure, JudgeInfo, Judgement, Maker, Score
from precis.textmetrics import rouge_f1

REFERENCE = Maker("reference", "people")
GOOD, BAD = Maker("policy", "good"), Maker("policy", "bad")
DOCUMENTS = [Document(f"Ann: cat number {n} sat on a mat.\nBo: Really?\nAnn: Yes.", key=f"k{n}") for n in range(4)]
REFERENCES = {
    document.id: [
        Candidate(document.id, f"Cat {n} sat.", REFERENCE),
        Candidate(document.id, f"Ann tells Bo of cat {n}.", REFERENCE, index=1),
    ]
    for n, document in enumerate(DOCUMENTS)
}
JUDGE = JudgeInfo("rouge")


def systems() -> dict[str, list[Candidate]]:
    good = [Candidate(document.id, f"Cat {n} sat.", GOOD) for n, document in enumerate(DOCUMENTS)]
    bad = [
        Candidate(
            document.id, "" if n == 0 else "Nothing at all happened to anyone here, it seems.", BAD, finished=n != 1
        )
        for n, document in enumerate(DOCUMENTS[:3])
    ]
    return {"good": good, "bad": bad}


def judgements() -> list[Judgement]:
    own = systems()
    scores: list[Judgement] = [Score(JUDGE, c.source_id, c.id, 1.0, "rouge1") for c in own["good"]]
    scores += [Score(JUDGE, c.source_id, c.id, 0.0, "rouge1") for c in own["bad"][:2]]
    scores.append(Failure(JUDGE, own["bad"][2].source_id, (own["bad"][2].id,), "no score"))
    return scores


def test_rows_numbers_and_warnings_agree() -> None:
    found = evaluate_systems(
        DOCUMENTS,
        REFERENCES,
        systems(),
        judgements=judgements(),
        against=("bad",),
        baselines=["bad"],
        training_judges=["rouge"],
        resamples=300,
    )
    good, bad = found.systems
    assert (good.documents, good.missing, good.candidates, good.empty, good.unfinished) == (4, 0, 4, 0, 0)
    assert (bad.documents, bad.missing, bad.candidates, bad.empty, bad.unfinished) == (3, 1, 3, 1, 1)
    rows = [row for row in found.outputs if row["system"] == "good"]
    assert good.metrics["rouge1"].value == pytest.approx(np.mean([row["rouge1"] for row in rows]))
    texts = [[r.text for r in REFERENCES[row["document"]]] for row in rows]
    own = [f"Cat {n} sat." for n in range(4)]
    assert [row["rouge2"] for row in rows] == pytest.approx(list(rouge_f1(own, texts)["rouge2"]))
    assert good.metrics["words"].value == 3
    assert bad.metrics["words"].value == pytest.approx((0 + 9 + 9) / 3)
    assert (bad.metrics["compression"].n, bad.metrics["compression"].missing) == (2, 2)
    assert rows[0]["key"] == "k0"

    rate = found.win_rates[0]
    assert (rate.system, rate.against, rate.judge) == ("good", "bad", "rouge")
    assert (rate.wins, rate.failures, rate.one_sided, rate.win_rate.n) == (2, 1, 1, 2)
    assert [row["outcome"] for row in found.verdicts] == [1.0, 1.0]
    words = next(d for d in found.differences if d.metric == "words")
    assert (words.a, words.b, words.difference.n, words.difference.missing) == ("good", "bad", 3, 1)
    assert rate.notes == ("length control leaves out 1 comparisons with an empty summary",)
    text = "\n".join(found.warnings)
    for said in [
        "Systems with no summary, or none that was chosen, and means of the others. bad: 1 of 4.",
        "Systems with empty summaries. bad: 1 of 3.",
        "Systems with summaries that hit the length limit. bad: 1 of 3.",
        "rouge, against bad: the judge failed on up to 1 documents of a system, left out.",
        "The only judge (rouge) also trained",
        "Mean lengths differ by a factor of 1.25 or more in 1 of 1 win rates",
    ]:
        assert said in text


def test_several_runs_are_compared_document_by_document() -> None:
    third = [Candidate(d.id, "one two three four five", Maker("policy", "third")) for d in DOCUMENTS]
    found = evaluate_systems(DOCUMENTS, REFERENCES, {**systems(), "third": third}, resamples=50)
    pairs = [("third", "good"), ("good", "bad")]
    (words,) = mean_differences(found, DOCUMENTS, pairs, ["words"], names=("runs", "others"), resamples=50)
    assert (words.metric, words.a, words.b) == ("words", "runs", "others")
    # Words: third 5, good 3, bad 0, 9, 9 and none of the last; (5 + 3) / 2 − (3 + bad) / 2.
    assert words.difference.value == pytest.approx(np.mean([2.5, -2.0, -2.0]))
    assert (words.difference.n, words.difference.missing) == (3, 1)
    assert words.difference.low == pytest.approx(-2.0) and words.difference.high == pytest.approx(2.5)


def test_a_judges_scores_can_be_a_metric() -> None:
    found = evaluate_systems(
        DOCUMENTS, REFERENCES, systems(), judgements=judgements(), judged={"likeness": JUDGE}, resamples=50
    )  # fmt: skip
    good, bad = (system.metrics["likeness"] for system in found.systems)
    # Of the bad system's three summaries two were scored; what failed is missing and is not 0.
    assert (good.value, good.n, bad.value, bad.n, bad.missing) == (1.0, 4, 0.0, 2, 2)
    assert [row["likeness"] for row in found.outputs if row["system"] == "bad"] == [0.0, 0.0, None]
    unheard = evaluate_systems(DOCUMENTS, REFERENCES, systems(), judged={"likeness": JUDGE}, resamples=50)
    assert unheard.systems[0].metrics["likeness"].value is None


def test_a_reference_is_never_scored_against_itself() -> None:
    people = [REFERENCES[document.id][0] for document in DOCUMENTS]
    found = evaluate_systems(DOCUMENTS, REFERENCES, {"people": people}, resamples=100)
    expected = rouge_f1([c.text for c in people], [[REFERENCES[c.source_id][1].text] for c in people])["rouge1"].mean()
    assert found.systems[0].metrics["rouge1"].value == pytest.approx(expected)
    single = {document.id: REFERENCES[document.id][:1] for document in DOCUMENTS}
    alone = evaluate_systems(DOCUMENTS, single, {"people": people}, resamples=100)
    assert alone.systems[0].metrics["rouge1"].value is None
    assert alone.systems[0].metrics["words"].value == 3


def test_several_candidates_of_a_document_are_averaged() -> None:
    two = [Candidate(DOCUMENTS[0].id, text, GOOD, index=n) for n, text in enumerate(["a b", "a b c d"])]
    one = [Candidate(DOCUMENTS[1].id, "a b c d e f g h", GOOD)]
    found = evaluate_systems(DOCUMENTS[:2], REFERENCES, {"good": two + one}, resamples=100)
    assert found.systems[0].metrics["words"].value == (3 + 8) / 2
    assert found.systems[0].metrics["words"].n == 2


def test_win_rate_against_references() -> None:
    own = systems()["good"]
    scores: list[Judgement] = [Score(JUDGE, c.source_id, c.id, 1.0, "s") for c in own]
    for group in REFERENCES.values():
        scores += [Score(JUDGE, r.source_id, r.id, 2.0 * n, "s") for n, r in enumerate(group)]
    found = evaluate_systems(DOCUMENTS, REFERENCES, {"good": own}, judgements=scores, resamples=100)
    # The first reference says the very same, a tie; the second one wins: ¼ on each document.
    assert found.win_rates[0].win_rate.value == 0.25
    assert found.win_rates[0].identical == 4


def test_systems_that_write_the_same_are_even_where_the_judge_was_asked() -> None:
    """A training that kept what it began with is a tie on every document; it does not drop out of a mean over seeds."""
    own = systems()["good"]
    copy = [Candidate(c.source_id, c.text, BAD) for c in own]
    said: list[Judgement] = [Score(JUDGE, c.source_id, c.id, 1.0, "s") for c in (*own, *copy)]
    said += [Score(JudgeInfo("other"), c.source_id, c.id, 1.0, "s") for c in own]
    found = evaluate_systems(
        DOCUMENTS, REFERENCES, {"good": own, "copy": copy}, judgements=said, against=["good"], resamples=100
    )
    (rate,) = found.win_rates
    assert (rate.judge, rate.system, rate.win_rate.value, rate.identical) == ("rouge", "copy", 0.5, 4)


def test_only_what_belongs_together_is_compared() -> None:
    own = systems()
    found = evaluate_systems(
        DOCUMENTS, REFERENCES, {**own, "other": own["bad"]}, judgements=judgements(), against=["good", "bad"],
        baselines=["good", "bad"], compared=lambda system, other: system != "other" or other == "bad", resamples=100,
    )  # fmt: skip
    assert {(rate.system, rate.against) for rate in found.win_rates} == {
        ("bad", "good"),
        ("good", "bad"),
        ("other", "bad"),
    }
    assert {(gain.a, gain.b) for gain in found.differences} == {("bad", "good"), ("good", "bad"), ("other", "bad")}


def test_user_mistakes() -> None:
    with pytest.raises(UserError, match="no document"):
        evaluate_systems([], {}, {})
    with pytest.raises(UserError, match="no system"):
        evaluate_systems(DOCUMENTS, {}, {})
    with pytest.raises(UserError, match="appear twice"):
        evaluate_systems([DOCUMENTS[0], DOCUMENTS[0]], {}, systems())
    with pytest.raises(UserError, match="not among the documents"):
        evaluate_systems(DOCUMENTS[:1], REFERENCES, systems())
    with pytest.raises(UserError, match="no system is called 'x'; there are good, bad"):
        evaluate_systems(DOCUMENTS, REFERENCES, systems(), against=("x",))


def test_other_scripts_and_bare_documents_are_warned_of() -> None:
    document = Document("قطة")
    references = {document.id: [Candidate(document.id, "القطة نامت", REFERENCE)]}
    found = evaluate_systems(
        [document, DOCUMENTS[0]], references, {"x": [Candidate(document.id, "القطة", GOOD)]}, resamples=50
    )
    assert any("ROUGE sees no word in 1 references" in warning for warning in found.warnings)
    assert any("1 of 2 documents have no reference" in warning for warning in found.warnings)


def test_files_are_whole_json(tmp_path: Path) -> None:
    found = evaluate_systems(DOCUMENTS, REFERENCES, systems(), judgements=judgements(), against=("bad",), resamples=50)
    write_evaluation(found, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation.json", "outputs.jsonl", "verdicts.jsonl"]
    rows = [json.loads(line) for line in (tmp_path / "outputs.jsonl").read_text("utf-8").splitlines()]
    assert [(row["system"], row["document"]) for row in rows] == [(r["system"], r["document"]) for r in found.outputs]
    content = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    assert content["systems"][0]["metrics"]["words"]["value"] == 3
    assert "outputs" not in content
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_jsonl(tmp_path / "file" / "below", [])


def test_json_never_holds_nan() -> None:
    lost: list[dict[str, str]] = []
    found = to_plain({"a": [1.0, float("nan")], "b": np.float64(np.inf), "c": np.int64(3)}, lost)
    assert found == {"a": [1.0, None], "b": None, "c": 3}
    assert lost == [{"at": "a[1]", "was": "nan"}, {"at": "b", "was": "inf"}]
    with pytest.raises(TypeError, match="x is a set"):
        to_plain({"x": {1}})


def test_rule_candidates() -> None:
    lead = rule_candidates(DOCUMENTS[:1], "lead", 2)[0]
    assert lead.text == "Ann: cat number 0 sat on a mat.\nBo: Really?"
    assert (lead.maker.role, lead.maker.name) == ("rule", "lead-2")
