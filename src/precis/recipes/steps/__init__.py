"""The steps that recipes share, each a function of the workspace and its own settings; every one can be resumed.

A step whose result is there already returns it: documents by their ids, candidates and judgements in the store,
models by their finished folder.
"""

from .candidates import (
    CandidateSettings,
    judge,
    keep_candidates,
    regroup,
    shared_out,
    together,
    with_judgements,
    write_candidates,
)
from .documents import DataSettings, Documents, load_documents
from .improvement import ReinforcementSettings, RejectionSettings, imitate_the_best, moved_from, reinforce
from .policies import StartSettings, SupervisedSettings, load_writer, starting_writer, supervise
from .rewards import RewardSettings, centre_on_references, load_reward_judge, train_reward_model
from .writer import Writer

__all__ = [
    "CandidateSettings",
    "DataSettings",
    "Documents",
    "ReinforcementSettings",
    "RejectionSettings",
    "RewardSettings",
    "StartSettings",
    "SupervisedSettings",
    "Writer",
    "centre_on_references",
    "imitate_the_best",
    "judge",
    "keep_candidates",
    "load_documents",
    "load_reward_judge",
    "load_writer",
    "moved_from",
    "regroup",
    "reinforce",
    "shared_out",
    "starting_writer",
    "supervise",
    "together",
    "train_reward_model",
    "with_judgements",
    "write_candidates",
]
