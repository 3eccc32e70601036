"""The recipe `llm-reference` whole, in small: a complete run folder by an offline judge; run again, nothing anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from endpoint_stand_in import MODEL, Answer, Call, StandIn, chat
from precis.endpoint import Spent
from precis.errors import UserError
from precis.recipes import llm_reference, steps
from precis.recipes.contrastive_report import _nothing_learned
from precis.recipes.llm_reference_settings import LLMReference
from precis.recipes.settings import load_settings, presets
from precis.recipes.spending import _sum, read_spent
from precis.recipes.steps.large_models import LargeModel
from precis.recipes.summary import read_summary
from precis.recipes.workspace import open_workspace
from precis.report.contents import Cell, Table
from precis.report.write import read_report
from precis.store import Store
from precis.training.run_folder import TrainResult, write_result
from test_judges_bertscore import encoder
from test_reranker import make_encoder

__all__ = ["encoder"]

SMALL = """
[data]
kind = "sandbox"
train_documents = 8
valid_documents = 4
test_documents = 4
[start]
model = "init"
size = "tiny"
vocab_size = 600
template = "separator"
max_prefix_tokens = 700
[warm_up.training]
max_steps = 2
[candidates]
k = 3
decoding = {kind = "temperature", max_new_tokens = 12}
[ranking]
judge = "ranker"
passes = 2
position_bias = 1.0
[contrast]
select = ["total", "generation"]
watch = 2
decoding = {kind = "greedy", max_new_tokens = 10}
[contrast.training]
max_steps = 2
evaluate_every = 1
[evaluation]
n = 3
match_on = 2
contrast_beams = 3
decoding = {kind = "beam", num_beams = 2, max_new_tokens = 10, no_repeat_ngram_size = 0}
"""


def settings(folder: Path, *overrides: str) -> LLMReference:
    config = folder / "small.toml"
    config.write_text(SMALL)
    return load_settings(LLMReference, "llm-reference", config=config, overrides=overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    llm_reference.run(settings(folder), folder / "work", command="precis run llm-reference")
    return folder


def test_llm_reference_leaves_a_complete_folder(finished: Path) -> None:
    work = finished / "work"
    for name in ("config.json", "feedback.db", "times.json", "report.html", "outputs.jsonl", "evaluation.json"):
        assert (work / name).is_file(), name
    report = read_report(work / "report.json")
    assert set(report.run.seconds) == {
        "documents", "targets", "warm-up", "candidates", "ranking", "contrast", "imitation", "length", "test",
        "evaluation",
    }  # fmt: skip
    systems = {json.loads(line)["system"] for line in (work / "outputs.jsonl").read_text().splitlines()}
    assert systems <= {
        "Lead-3", "warm", "imitation only", "contrastive", "contrastive by generation", "random of 3",
        "best of 3 by contrastive", "best of 3 by warm", "best of 3 by oracle",
    }  # fmt: skip
    assert {"Lead-3", "warm", "imitation only", "contrastive"} <= systems
    saved = json.loads((work / "config.json").read_text())
    assert saved["contrast"]["loss"]["rank_weight"] == 100
    twin = json.loads((work / "training" / "imitation" / "result.json").read_text())
    assert twin["steps"] == 2 == json.loads((work / "training" / "contrastive" / "result.json").read_text())["steps"]
    with Store(work) as store:
        held = store.stats()["judgements"]["by_judge"]
    assert held["ranker"]["ranking"] > 0 and held["ranker pass"]["ranking"] == 2 * held["ranker"]["ranking"]
    # Beside the judge that trained, one that did not, wherever something is judged.
    rates = json.loads((work / "evaluation.json").read_text())["win_rates"]
    assert {"ranker", "oracle", "rouge"} <= {rate["judge"] for rate in rates}
    (ordering,) = (section for section in report.sections if section.title.startswith("How well"))
    # The oracle has 1 for whatever an untrained model writes, so it may order nothing; the report then says so.
    assert all(f"{judge} " in str(ordering.blocks) for judge in ("oracle", "ranker"))
    table = [block for block in ordering.blocks if isinstance(block, Table)][-1]
    assert table.caption.startswith("Pairs ordered as ranker does")
    assert {"contrastive", "imitation only", "warm", "length"} <= {row.cells[0].value for row in table.rows}
    lengths = [b for s in report.sections for b in s.blocks if isinstance(b, Table) and "Length penalties" in b.caption]
    # Contrast searches wider, as published.
    beams = {row.cells[0].value: row.cells[1].value for row in lengths[0].rows}
    assert beams == {"warm": 2, "imitation only": 2, "contrastive": 3, "contrastive by generation": 3}


def test_run_again_it_writes_and_judges_nothing_anew(finished: Path) -> None:
    work = finished / "work"
    with Store(work) as store:
        before = store.stats()
    first = (work / "evaluation.json").read_bytes()
    llm_reference.run(settings(finished), work)
    with Store(work) as store:
        assert store.stats() == before
    assert (work / "evaluation.json").read_bytes() == first


def test_money_is_unknown_where_some_of_it_is() -> None:
    priced, free, idle = Spent(prompt_tokens=10, money=0.5), Spent(prompt_tokens=10, money=None), Spent(money=None)
    assert _sum(priced, priced).money == 1.0 and _sum(priced, priced).prompt_tokens == 20
    assert _sum(priced, free).money is None and _sum(priced, idle).money == 0.5


def row_of(table: Table) -> dict[str, Cell]:
    """The cells of a table of one row, by column."""
    (row,) = table.rows
    return {column.name: cell for column, cell in zip(table.columns, row.cells, strict=True)}


def test_seeds_of_contrast_stand_side_by_side(finished: Path) -> None:
    work = finished / "seeds"
    shutil.copytree(finished / "work", work)
    (work / "config.json").unlink()  # the first seed is the run that is there
    first = (work / "models" / "contrastive" / "model.safetensors").read_bytes()
    llm_reference.run(settings(finished, "contrast.seeds=[1, 2]"), work)
    assert (work / "models" / "contrastive" / "model.safetensors").read_bytes() == first
    assert {path.name for path in (work / "training").iterdir() if path.is_dir()} == {
        "warm", "contrastive", "contrastive-seed-2", "imitation", "imitation-seed-2",
    }  # fmt: skip
    found = json.loads((work / "evaluation.json").read_text())
    systems = {system["name"] for system in found["systems"]}
    assert {"contrastive, seed 2", "contrastive by generation, seed 2", "imitation only, seed 2"} <= systems
    gains = {
        (one["a"], one["metric"]): one["difference"]["value"] for one in found["differences"] if one["b"] == "warm"
    }
    tables = [b for s in read_report(work / "report.json").sections for b in s.blocks if isinstance(b, Table)]
    (table,) = (table for table in tables if table.caption.startswith("Gain in ROUGE over seeds"))
    assert [column.name for column in table.columns] == ["System", "Mean", "SD", "Seed 1", "Seed 2"]
    rows = {row.cells[0].value: [cell.value for cell in row.cells[3:]] for row in table.rows}
    for way in ("contrastive", "best of 3 by contrastive"):
        both = [gains[way, "rouge1"], gains[f"{way}, seed 2", "rouge1"]]
        assert rows[f"ROUGE-1, {way} over warm"] == both
    # In a sweep's row: the mean over seeds beside the first, each against its own twin, and the cost of one training.
    summary = {table.caption: table for table in read_summary(work)}
    over = row_of(summary["contrastive against imitation only over seeds."])
    oracle = [
        rate["win_rate"]["value"]
        for rate in found["win_rates"]
        if rate["judge"] == "oracle"
        and (rate["system"], rate["against"])
        in (("contrastive", "imitation only"), ("contrastive, seed 2", "imitation only, seed 2"))
    ]
    assert over["Seeds"].value == 2 and over["oracle, mean"].value == pytest.approx(sum(oracle) / 2)
    assert over["oracle, SD"].value is not None and over["ROUGE-1, difference"].n == 4
    seconds = json.loads((work / "times.json").read_text())["seconds"]
    cost = row_of(summary["Cost."])
    assert cost["contrast, s"].value == pytest.approx(seconds["contrast"] / 2)


def test_a_training_that_kept_what_it_began_with_is_said(tmp_path: Path) -> None:
    with open_workspace(tmp_path, settings(tmp_path)) as work:
        for name, kept in (("contrastive", 0), ("imitation", 3)):
            (work.training / name).mkdir(parents=True)
            result = TrainResult("finished", "", 5, kept, work.training / name / "checkpoint", 1, 0, 1, 1.0)
            write_result(work.training / name, result)
        (said,) = _nothing_learned(work)
    assert said == "Training contrastive kept the weights that it began with: none later was better."


def test_rerankers_beside_the_policy(finished: Path) -> None:
    work = finished / "reranked"
    shutil.copytree(finished / "work", work)
    (work / "config.json").unlink()
    encoder = make_encoder(finished / "encoder", positions=512)
    overrides = (
        f"reranker.encoder={encoder}", "reranker.training.max_steps=2", "reranker.seeds=[1, 2]",
        "reranker.training.keep_best=false", "reranker.training.learning_rate=1", f"evaluation.encoder={encoder}",
    )  # fmt: skip
    llm_reference.run(settings(finished, *overrides), work)
    found = json.loads((work / "evaluation.json").read_text())
    systems = {system["name"]: system["metrics"] for system in found["systems"]}
    names = ("contrastive", "reranker", "reranker, seed 2", "warm")
    assert {f"best of 3 by {name}" for name in names} <= set(systems)
    # BERTScore judges, and what it said is a metric of every system too.
    assert "bertscore" in {rate["judge"] for rate in found["win_rates"]}
    assert all(-1 <= metrics["bertscore"]["value"] <= 1 for metrics in systems.values())
    sections = {section.title: section for section in read_report(work / "report.json").sections}
    (ordering,) = (section for title, section in sections.items() if title.startswith("How well"))
    table = [block for block in ordering.blocks if isinstance(block, Table)][-1]
    assert set(names) <= {row.cells[0].value for row in table.rows}
    (over_seeds,) = (b for b in sections["Systems"].blocks if isinstance(b, Table) and "ROUGE over seeds" in b.caption)
    assert "ROUGE-1, best of 3 by reranker over warm" in {row.cells[0].value for row in over_seeds.rows}
    (joined,) = (b for b in sections["Systems"].blocks if isinstance(b, Table) and "mean over the seeds" in b.caption)
    assert [row.cells[0].value for row in joined.rows] == [
        f"best of 3 by reranker, mean of 2 seeds − {other}" for other in ("imitation only", "warm")
    ]
    # Their seeds have no twin of their own.
    assert {rate["against"] for rate in found["win_rates"] if rate["system"] == "best of 3 by reranker, seed 2"} >= {
        "imitation only", "warm",
    }  # fmt: skip
    files = [work / "models" / name / "model.safetensors" for name in ("reranker", "reranker-seed-2")]
    assert files[0].read_bytes() != files[1].read_bytes()
    weights = [file.stat().st_mtime_ns for file in files]
    llm_reference.run(settings(finished, *overrides), work)
    assert [file.stat().st_mtime_ns for file in files] == weights


def test_a_large_model_behind_a_url_writes_and_ranks_and_its_cost_is_shown(tmp_path: Path) -> None:
    """The whole with GPTRank and quasi-references, asked over HTTP; what it says of its cost; run again, nothing."""
    shown: list[str] = []

    def large_model(call: Call) -> Answer:
        if "Ranking:" not in call.text:
            return chat(f"Somebody said {len(call.text)} things.", usage=(100, 10))
        shown.append(call.text.split("### Document\n")[1].split("\n\n###")[0].strip())
        count = call.text.count("### Summary ")
        return chat(f"Explanation: so.\nRanking: {', '.join(map(str, range(count, 0, -1)))}", usage=(300, 20))

    with StandIn(large_model) as server:
        endpoint = f'{{url="{server.url}", model="{MODEL}", key_env="", cache="{tmp_path / "cache"}"'
        overrides = (
            "ranking.judge=gptrank", "ranking.passes=2", "ranking.one_line=false", "targets.source=endpoint",
            f"targets.endpoint={endpoint}}}", f"ranking.endpoint={endpoint}, price_in=1, price_out=10}}",
        )  # fmt: skip
        llm_reference.run(settings(tmp_path, *overrides), tmp_path / "work")
        asked = len(server.calls)
        spent = read_spent(tmp_path / "work")
        # A higher cap, or more at a time, is no other run.
        patient = [
            text.replace(", price_in=1", ", concurrency=2, max_tokens_spent=9, price_in=1") for text in overrides
        ]
        llm_reference.run(settings(tmp_path, *patient), tmp_path / "work")
        assert len(server.calls) == asked and read_spent(tmp_path / "work") == spent
    assert any("\n" in document for document in shown), "dialogues keep their lines"
    assert set(spent) == {"targets", "ranking", "evaluation"}
    assert sum(own.sent for own in spent.values()) == asked
    assert (spent["targets"].sent, spent["targets"].tokens, spent["targets"].money) == (16, 16 * 110, None)
    ranks = spent["ranking"]
    assert ranks.sent % 2 == 0 and ranks.tokens == 320 * ranks.sent
    assert ranks.money == pytest.approx(ranks.sent * (300 * 1 + 20 * 10) / 1e6)
    training = next(s for s in read_report(tmp_path / "work" / "report.json").sections if s.title == "Training")
    (table,) = (b for b in training.blocks if isinstance(b, Table) and "large models" in b.caption)
    assert [row.cells[0].value for row in table.rows] == ["targets", "ranking", "evaluation"]
    cost = next(table for table in read_summary(tmp_path / "work") if table.caption == "Cost.")
    named = {column.name: own for column, own in zip(cost.columns, cost.rows[0].cells, strict=True)}
    assert named["Large models, tokens"].value == sum(own.tokens for own in spent.values())
    assert named["Large models, money"].why == "not every step has prices"


def test_a_large_model_that_trained_nothing_grades_where_rouge_trained(tmp_path: Path) -> None:
    """Documents of one's own, ROUGE ranks for training, and a second judge ranks what came of it over HTTP."""
    for name, count in (("train", 8), ("valid", 4), ("test", 4)):
        rows = [
            {
                "document": f"{name} {number}: Ann asked Bo to bring {number} eggs. Bo said yes.",
                "summary": f"{number} eggs.",
            }
            for number in range(count)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def large_model(call: Call) -> Answer:
        count = call.text.count("### Summary ")
        return chat(f"Explanation: so.\nRanking: {', '.join(map(str, range(1, count + 1)))}", usage=(300, 20))

    with StandIn(large_model) as server:
        large = f'{{url="{server.url}", model="{MODEL}", key_env="", cache="{tmp_path / "cache"}"}}'
        overrides = [
            *(f"data.{name}={tmp_path / name}.jsonl" for name in ("train", "valid", "test")),
            "data.kind=jsonl", "start.template=separator", "ranking.judge=rouge", "ranking.passes=1",
            f'evaluation.graders=[{{judge="gptrank", endpoint={large}}}]',
        ]  # fmt: skip
        llm_reference.run(settings(tmp_path, *overrides), tmp_path / "work")
        asked = len(server.calls)
        # Who grades may change, and what was paid for is not asked again.
        llm_reference.run(settings(tmp_path, *overrides, "evaluation.examples=1"), tmp_path / "work")
        assert len(server.calls) == asked == 4, "all summaries of a test document are ranked at once"
    grader = f"gptrank by {MODEL}"
    found = json.loads((tmp_path / "work" / "evaluation.json").read_text())
    rates = [rate for rate in found["win_rates"] if rate["judge"] == grader]
    assert rates and not any(rate["failures"] for rate in rates)
    assert f"best of 3 by {grader}" in {system["name"] for system in found["systems"]}
    assert not any("only judge" in warning for warning in found["warnings"])
    report = read_report(tmp_path / "work" / "report.json")
    assert any(f"by {grader}" in finding or grader in finding for finding in report.findings)
    assert set(read_spent(tmp_path / "work")) == {"evaluation"}


@pytest.mark.parametrize(
    "wrong",
    [
        "evaluation.encoder=none",
        'evaluation.graders=[{judge="gptscore", model="none"}]',
        "reranker.encoder=none",
        "start.model=none",
        "start.model=warm:none",
    ],
    ids=lambda text: text.partition("=")[0],
)
def test_a_model_that_is_not_there_is_told_before_the_run_begins(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder none"):
        llm_reference.run(settings(tmp_path, wrong), tmp_path / "work")
    with Store(tmp_path / "work") as store:
        assert not store.documents()


@pytest.mark.parametrize(
    "wrong",
    [
        "data.train_documents=-3", "data.valid_documents=0", "data.test_documents=0", "candidates.documents=-1",
        "candidates.unseen=-1", "candidates.valid_documents=0", "evaluation.examples=-1", "ranking.max_tokens=0",
        "ranking.position_bias=inf",
    ],
)  # fmt: skip
def test_counts_that_mean_nothing(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=wrong.partition("=")[0].replace(".", r"\.")):
        settings(tmp_path, wrong)


@pytest.mark.parametrize("name", presets("llm-reference"))
def test_presets_are_valid(name: str) -> None:
    loaded = load_settings(LLMReference, "llm-reference", preset=name)
    assert loaded.candidates.decoding.kind == "diverse-beam" and loaded.candidates.k == 8
    assert loaded.contrast.training.schedule == "inverse-sqrt"


def test_who_grades_is_never_only_who_trained(tmp_path: Path, encoder: Path) -> None:
    trained: list[str] = []
    alone: list[bool] = []

    def judges(*overrides: str) -> list[str]:
        how = settings(tmp_path, 'contrast.select=["total"]', *overrides)
        ranker = steps.ranking_judge(how.ranking, seed=1)
        found, trained[:] = steps.grading_judges(
            how.evaluation.graders, how.ranking, how.targets, ranker, seed=1, sandbox=how.data.kind == "sandbox",
            encoder=how.evaluation.encoder, by_training=how.evaluation.judge_by_training,
            rouge_chose="generation" in how.contrast.select,
        )  # fmt: skip
        alone[:] = [how.alone]
        return [judge.info.name for judge in found]

    assert judges() == ["oracle", "rouge", "ranker", "length", "copying"]
    assert judges("ranking.judge=oracle") == ["rouge", "oracle", "length", "copying"]
    assert judges("ranking.judge=rouge") == ["oracle", "rouge", "length", "copying"]
    assert judges("evaluation.judge_by_training=false") == ["oracle", "rouge", "length", "copying"]
    bertscore = f"evaluation.encoder={encoder}"
    assert judges(bertscore) == ["oracle", "rouge", "bertscore", "ranker", "length", "copying"]
    real = ("data.kind=dialogsum", "ranking.judge=rouge")
    assert judges(*real, bertscore)[:2] == ["bertscore", "rouge"] and alone == [False]
    # The one case without another: it is said when the run begins, and in the report.
    assert judges(*real) == ["rouge", "length", "copying"] and alone == [True]
    large, small = ({"url": "http://localhost:1/v1", "model": name} for name in ("large", "house/small"))
    ranks = f"ranking={{judge='gptrank', endpoint={inline(large)}}}"
    for overrides, found in {
        # Another large model is a judge of its own; the one that ranked, asked for log-probs, is its word again.
        (real[0], ranks, grader("gptrank", small)): ["gptrank by small", "rouge", "gptrank"],
        (real[0], ranks, grader("gptscore", large)): ["rouge", "gptscore by large", "gptrank"],
        (*real, grader("gptrank", small)): ["gptrank by small", "rouge"],
    }.items():
        assert judges(*overrides) == [*found, "length", "copying"] and alone == [False]
        assert set(trained) == {name for name in found if "small" not in name} - ({"rouge"} - set(trained))
    chosen = 'contrast.select=["generation"]'
    assert judges(real[0], ranks, grader("gptscore", large), chosen)[:2] == ["gptscore by large", "rouge"]
    assert alone == [True], "what ROUGE chose, and the large model ranked, no other judge has seen"
    assert judges(real[0], ranks, bertscore, chosen)[:2] == ["bertscore", "rouge"] and "rouge" in trained
    # Who wrote what is imitated gave a signal, whatever its server is called.
    wrote = f"targets={{source='endpoint', endpoint={inline({**small, 'url': 'http://127.0.0.1:1/v1'})}}}"
    assert judges(*real, wrote, grader("gptrank", small))[:2] == ["gptrank by small", "rouge"]
    assert alone == [True] and "gptrank by small" in trained
    named = f"evaluation.graders=[{{judge='gptrank', name='other', endpoint={inline(large)}}}]"
    assert judges(*real, named)[0] == "other"


def test_folders_are_one_model_however_they_are_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one/judge", "two/judge"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    one = LargeModel("one/judge")
    assert one.may_be(LargeModel("./one/judge/")) and one.may_be(LargeModel(str(tmp_path / "one" / "judge")))
    assert not one.may_be(LargeModel("two/judge"))
    assert one.title == LargeModel("one/judge/").title == "judge"
    served = LargeModel("house/judge", "http://localhost:1/v1")
    assert served.may_be(LargeModel("judge", "http://127.0.0.1:1/v1")) and not served.may_be(LargeModel("other", "u"))


def test_a_key_that_is_missing_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    grades = grader("gptrank", {"url": "http://localhost:1/v1", "model": "large", "key_env": "NO_SUCH_KEY"})
    with pytest.raises(UserError, match="holds no key"):
        llm_reference.run(settings(tmp_path, grades), tmp_path / "work")
    assert not (tmp_path / "work" / "models").exists()
    # A run that goes on may have every answer in its cache.
    how = settings(tmp_path, grades)
    with open_workspace(tmp_path / "going", how) as work:
        with work.step("documents", "some"):
            pass
        steps.check_at_hand(work, how.targets, how.evaluation.graders)
    assert "note: " in capsys.readouterr().err


def inline(table: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}='{value}'" for key, value in table.items()) + "}"


def grader(judge: str, endpoint: dict[str, str]) -> str:
    return f"evaluation.graders=[{{judge='{judge}', endpoint={inline(endpoint)}}}]"


def test_wrong_settings_are_one_sentence(tmp_path: Path) -> None:
    for override, said in {
        "contrast.select=[]": "contrast.select",
        "contrast.loss.rank_wait=1": "there is no such setting; did you mean 'contrast.loss.rank_weight'",
        "contrast.select=[total]": "expected a list, as ",
        "ranking.judge=nobody": "ranking.judge",
        "candidates.k=1": "candidates.k",
        "candidates.decoding={kind='beam',num_beams=2}": "k is 3, and a search with 2 beams finds no more",
        "evaluation.choice={kind='beam',num_beams=2}": r"evaluation\.n is 3, and a search with 2 beams",
        "evaluation.decoding={kind='greedy'}": "'evaluation': contrast_beams needs a decoding by beams$",
        "candidates.decoding={kind='greedy'}": "greedy decoding always writes the same text",
        "ranking.judge=gptrank": "'ranking': gptrank needs an endpoint",
        "ranking.judge=gptscore": "'ranking': gptscore needs a model, or an endpoint",
        "targets.source=model": "'targets': the source model needs one",
        "targets.template=Sum it up": "needs the field {document}",
        "data.kind=dialogsum": "settings: ranking.judge is 'ranker', which knows the sandbox's documents only",
        "evaluation.graders=[{judge='ranker'}]": r"evaluation\.graders\.0\.judge",
        "evaluation.graders=[{judge='gptrank'}]": r"evaluation\.graders\.0': gptrank needs an endpoint",
        "evaluation.graders=[{judge='gptscore',model='a/x'},{judge='gptscore',model='b/x'}]": "two judges are called",
        "evaluation.graders=[{judge='gptscore',model='a',passes=4}]": "gptscore has no passes",
        "evaluation.graders=[{judge='gptrank',model='a',position_bias=1.0}]": "gptrank has no position_bias",
        "ranking={judge='gptscore',model='a',endpoint={url='http://localhost:1/v1',model='b'}}": "or a model",
        "contrast.watch=0": "chosen by 'generation' where no summaries are written",
    }.items():
        with pytest.raises(UserError, match=said):
            settings(tmp_path, override)
    same = {"url": "http://localhost:1/v1", "model": "large"}
    with pytest.raises(UserError, match="gptrank by large ranks for training, so it is no further judge"):
        settings(tmp_path, f"ranking={{judge='gptrank', endpoint={inline(same)}}}", grader("gptrank", same))
    alone = "{rank_weight=0, mle_weight=0, gold_weight=0}"
    with pytest.raises(UserError, match="all weights are 0"):
        settings(tmp_path, f"contrast.loss={alone}")


def test_every_setting_says_what_it_is() -> None:
    schema = LLMReference.model_json_schema()
    parts = {"LLMReference": schema, **schema["$defs"]}
    missing = {
        f"{name}.{field}"
        for name, part in parts.items()
        for field, entry in part.get("properties", {}).items()
        if not entry.get("description")
    }
    assert not missing
