"""Learning from a large model's references and rankings (Liu et al. 2023, arXiv 2305.14239; BRIO, Liu et al. 2022).

The paper's steps, and where each stands below:

1. Documents, and what is imitated: quasi-references that a large model writes, or the data set's references.
2. A warm-up: label-smoothed imitation of these.
3. K candidates a document from the warm policy, by diverse beam search; each text once.
4. Their order: by a large model (GPTRank, GPTScore), by ROUGE (BRIO), or by the sandbox's list-wise annotator; several
   passes in permuted orders are joined by Borda counts.
5. Contrastive training from the warm policy, and its twin: as many updates of imitation alone from the same start.
6. Optionally a reranker, an encoder of its own that learns the same order (SimCLS, Liu & Liu 2021).
7. Generation with beams whose length penalty is tuned until summaries are as long as what is imitated; and from the
   same weights a choice among the warm policy's candidates (BRIO-Mul and BRIO-Ctr).
8. Evaluation, with a judge that gave no training signal where there is one, and how well each policy's own score
   orders candidates of documents that it has not seen.

Departures: permuted passes (the paper asks once, in one order); the twin; further choices of weights in one training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..evaluation.baselines import rule_candidates
from ..evaluation.systems import REFERENCE, evaluate_systems, write_evaluation
from ..judges.bertscore import BertScoreJudge
from ..judges.ownscore import OwnScoreJudge
from ..judges.protocol import Judge
from ..models import model_folder
from ..records import Document, Group
from ..report.write import write_report
from ..selection import best_of, random_of
from . import steps
from .contrast_seeds import Contrast
from .contrastive_report import contrastive_report
from .contrastive_summary import contrastive_summary
from .llm_reference_settings import CONTRASTIVE, IMITATION, WARM, LLMReference
from .own_order import own_score_orders
from .summary import write_summary
from .workspace import Workspace, announce, open_workspace

SAME_ENCODER = "BERTScore reads with the encoder that the reranker began as, so it is no independent judge of that."


def run(settings: LLMReference, out: Path, *, store: str | None = None, command: str = "") -> Path:
    """Run the recipe in the workspace `out`, resuming what is there; returns the path of `report.html`."""
    with open_workspace(out, settings, store) as work:
        return _run(work, settings, command)


def _run(work: Workspace, settings: LLMReference, command: str) -> Path:
    seed = settings.seed
    graders = settings.evaluation.graders
    steps.check_start(settings.start)
    for model in filter(None, (settings.evaluation.encoder, settings.reranker.encoder)):
        model_folder(model)  # a name that is wrong is told before anything is paid for
    steps.check_at_hand(work, settings.targets, (settings.ranking, *graders))
    if settings.alone:
        announce("note: only judges that train or choose weights will grade; name evaluation.encoder or a grader")
    with work.step("documents", f"{settings.data.kind} documents"):
        documents = steps.load_documents(work, settings.data, seed=seed)
    with work.step("targets", f"what is imitated, from {settings.targets.source}"):
        documents = steps.with_targets(work, documents, settings.targets)
        references = steps.references_of(documents)
        written_by = steps.makers_of(references, settings.targets)

    with work.step("warm-up", "label-smoothed imitation"):
        start = steps.starting_writer(work, settings.start, documents, seed=seed)
        imitated, judged = steps.shared_out(documents, settings.candidates)
        warm = steps.supervise(
            work, start, imitated, documents.valid, settings.warm_up, fine_tuned=settings.start.fine_tuned, name="warm"
        )

    with work.step("candidates", f"{settings.candidates.k} candidates a document by the warm policy"):
        validated = documents.valid[: settings.candidates.valid_documents]
        pool, held_out = (
            steps.candidates_to_rank(work, warm, own, settings.candidates, references, seed=seed)
            for own in (judged, validated)
        )
    with work.step("ranking", f"ordered by {settings.ranking.judge}"):
        ranker = steps.ranking_judge(settings.ranking, seed=seed, written_by=written_by)
        ranked, held_out_ranked = (steps.rank(work, ranker, own, references) for own in (pool, held_out))

    seeds = settings.contrast.seeds or (seed,)
    with work.step("contrast", f"contrastive training ({settings.contrast.published})"):
        learned = {
            own_seed: steps.contrast(
                work, warm, ranked, held_out_ranked, references, settings.contrast, seed=own_seed,
                name=_name_of("contrastive", own_seed, seeds, "-seed-"),
            )
            for own_seed in seeds
        }  # fmt: skip
    with work.step("imitation", "the twin: as many updates of imitation alone"):
        twins = {
            own_seed: steps.imitate_beside(
                work, warm, ranked, held_out_ranked, references, settings.contrast, seed=own_seed,
                steps=learned[own_seed].result.steps, name=_name_of(steps.TWIN, own_seed, seeds, "-seed-"),
            )
            for own_seed in seeds
        }  # fmt: skip

    rerankers: dict[int, Judge] = {}
    if settings.reranker.encoder:
        chosen_by = settings.reranker.seeds or (seed,)
        with work.step("reranker", "an encoder of its own learns the same order (SimCLS)"):
            rerankers = {
                own_seed: steps.train_reranker(
                    work, ranked, held_out_ranked, references, settings.reranker, seed=own_seed,
                    name=_name_of(steps.RERANKER, own_seed, chosen_by, "-seed-"),
                )
                for own_seed in chosen_by
            }  # fmt: skip

    policies = {WARM: warm}
    contrasts = {own_seed: _name_of(CONTRASTIVE, own_seed, seeds) for own_seed in seeds}
    imitations = {own_seed: _name_of(IMITATION, own_seed, seeds) for own_seed in seeds}
    for own_seed in seeds:
        policies[imitations[own_seed]] = twins[own_seed]
        (_, chosen), *others = learned[own_seed].writers.items()
        policies[contrasts[own_seed]] = chosen
        policies |= {_name_of(f"{CONTRASTIVE} by {by}", own_seed, seeds): writer for by, writer in others}
    with work.step("length", "summaries as long as what is imitated"):
        tuned = documents.valid[: settings.evaluation.match_on] if settings.evaluation.match_length else []
        decodings = {
            name: steps.matched_decoding(work, writer, tuned, settings.evaluation.decoding_of(name), name=name)
            for name, writer in policies.items()
        }
    with work.step("test", "summaries of the test documents"):
        written = {
            name: steps.refer(
                steps.write_candidates(work, writer, documents.test, decodings[name][0], k=1, seed=seed), references
            )
            for name, writer in policies.items()
        }
        n = settings.evaluation.n
        choice = settings.candidates.model_copy(update={"k": n, "keep": None, "decoding": settings.choice})
        choices = steps.candidates_to_rank(work, warm, documents.test, choice, references, seed=seed)
        sources = [group.source for group in documents.test if isinstance(group.source, Document)]
        lead = steps.keep_candidates(work, documents.test, rule_candidates(sources, "lead"))

    with work.step("evaluation", "every system, by every judge"):
        alpha = settings.contrast.loss.length_penalty
        own: dict[str, Judge] = {
            name: OwnScoreJudge(policies[name].policy, policies[name].renderer, length_penalty=alpha, name=name)
            for name in (*contrasts.values(), IMITATION, WARM)
        }
        reranking = {own_seed: _name_of(steps.RERANKER, own_seed, tuple(rerankers)) for own_seed in rerankers}
        own |= {name: rerankers[own_seed] for own_seed, name in reranking.items()}
        for scorer in own.values():
            steps.judge(work, scorer, choices)
        judges, trained = steps.grading_judges(
            graders, settings.ranking, settings.targets, ranker, seed=seed, sandbox=settings.data.kind == "sandbox",
            encoder=settings.evaluation.encoder, by_training=settings.evaluation.judge_by_training,
            rouge_chose="generation" in settings.contrast.select, written_by=written_by,
        )  # fmt: skip
        everything = steps.together(choices, *written.values(), lead)
        for judge in judges:
            everything = steps.judge(work, judge, everything)
        # A ranking of all summaries of a document orders those of its choices too.
        said = {group.source.id: group.judgements for group in everything}
        choices = [replace(group, judgements=said[group.source.id]) for group in choices]
        gold, random = judges[0].info, f"random of {n}"
        by = {name: f"best of {n} by {name}" for name in (*own, gold.name)}
        choosing = [name for name in own if name != IMITATION]
        systems: dict[str, Sequence[Group]] = {
            "Lead-3": lead,
            **written,
            random: random_of(choices, seed=seed).groups,
            **{by[name]: best_of(choices, own[name].info).groups for name in choosing},
            by[gold.name]: best_of(choices, gold).groups,
        }
        evaluation = evaluate_systems(
            sources,
            references,
            {name: [c for group in groups for c in group.candidates] for name, groups in systems.items()},
            judgements=steps.by_each(judges, everything),
            against=(*imitations.values(), WARM, REFERENCE, random),
            baselines=(*imitations.values(), WARM),
            compared=_with_its_own_twin(imitations, [by[name] for name in reranking.values()]),
            training_judges=trained,
            judged={judge.info.name: judge.info for judge in judges if isinstance(judge, BertScoreJudge)},
            seed=seed,
        )
        write_evaluation(evaluation, work.folder)

    about = Contrast(
        gold=gold,
        ranker=ranker.info,
        own={name: judge.info for name, judge in own.items()},
        contrastive=CONTRASTIVE,
        imitation=IMITATION,
        warm=WARM,
        seeds=contrasts,
        twins=imitations,
        choosing={own_seed: by[name] for own_seed, name in contrasts.items()},
        rerankers={own_seed: by[name] for own_seed, name in reranking.items()},
        random=random,
        reranked=by[CONTRASTIVE],
        ceiling=by[gold.name],
        decodings=decodings,
        notes=(SAME_ENCODER,) if rerankers and settings.reranker.encoder == settings.evaluation.encoder else (),
    )
    orders = own_score_orders(choices, about.judges, about.own, name=CONTRASTIVE)
    row = contrastive_summary(work, evaluation, about, tested=sources, ranked=ranked, orders=orders, seed=seed)
    write_summary(row, work.folder)
    report = contrastive_report(
        work,
        settings,
        command,
        evaluation,
        about,
        documents=documents,
        ranked=ranked,
        result=learned[seeds[0]].result,
        choices=choices,
        orders=orders,
        examples=settings.evaluation.examples,
        drawn=settings.choice.is_random,
    )
    html, _ = write_report(report, work.folder)
    return html


def _name_of(name: str, seed: int, seeds: Sequence[int], mark: str = ", seed ") -> str:
    """What a training of one of `seeds` is called: the first has no number."""
    return name if seed == seeds[0] else f"{name}{mark}{seed}"


def _with_its_own_twin(imitations: Mapping[int, str], reranked: Sequence[str]) -> Callable[[str, str], bool]:
    """What came of one seed's contrast is compared with that seed's imitation, all else with the first seed's."""
    first, *others = imitations

    def compared(system: str, other: str) -> bool:
        own = next((seed for seed in others if system.endswith(_name_of("", seed, (first,)))), first)
        return other not in imitations.values() or other == imitations[first if system in reranked else own]

    return compared
