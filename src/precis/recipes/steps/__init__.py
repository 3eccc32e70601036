"""The steps that recipes share, each a function of the workspace and its own settings; every one can be resumed.

A step whose result is there already returns it: documents by their ids, candidates and judgements in the store,
models by their finished folder.
"""

from .candidates import (
    CandidateSettings,
    by_each,
    check_beams,
    judge,
    keep_candidates,
    regroup,
    shared_out,
    together,
    with_judgements,
    write_candidates,
)
from .contrast_settings import PUBLISHED, ContrastSettings, LossSettings, contrastive_objective
from .contrasting import TWIN, Contrasted, contrast, imitate_beside
from .documents import DataSettings, Documents, load_documents
from .grading import GraderSettings, check_graders, grading_judges, trained
from .improvement import ReinforcementSettings, RejectionSettings, imitate_the_best, moved_from, reinforce
from .large_models import check_at_hand
from .matching import matched_decoding
from .policies import StartSettings, SupervisedSettings, check_start, load_writer, starting_writer, supervise
from .ranking import (
    RankedCandidateSettings,
    RankingSettings,
    candidates_to_rank,
    local_engine,
    ordered,
    rank,
    ranking_judge,
)
from .reranking import RERANKER, RerankerSettings, load_reranker_judge, train_reranker
from .rewards import RewardSettings, centre_on_references, load_reward_judge, train_reward_model
from .targets import TargetSettings, makers_of, refer, references_of, with_targets
from .writer import Writer

__all__ = [
    "PUBLISHED",
    "RERANKER",
    "TWIN",
    "CandidateSettings",
    "ContrastSettings",
    "Contrasted",
    "DataSettings",
    "Documents",
    "GraderSettings",
    "LossSettings",
    "RankedCandidateSettings",
    "RankingSettings",
    "ReinforcementSettings",
    "RejectionSettings",
    "RerankerSettings",
    "RewardSettings",
    "StartSettings",
    "SupervisedSettings",
    "TargetSettings",
    "Writer",
    "by_each",
    "candidates_to_rank",
    "centre_on_references",
    "check_at_hand",
    "check_beams",
    "check_graders",
    "check_start",
    "contrast",
    "contrastive_objective",
    "grading_judges",
    "imitate_beside",
    "imitate_the_best",
    "judge",
    "keep_candidates",
    "load_documents",
    "load_reranker_judge",
    "load_reward_judge",
    "load_writer",
    "local_engine",
    "makers_of",
    "matched_decoding",
    "moved_from",
    "ordered",
    "rank",
    "ranking_judge",
    "refer",
    "references_of",
    "regroup",
    "reinforce",
    "shared_out",
    "starting_writer",
    "supervise",
    "together",
    "train_reranker",
    "train_reward_model",
    "trained",
    "with_judgements",
    "with_targets",
    "write_candidates",
]
