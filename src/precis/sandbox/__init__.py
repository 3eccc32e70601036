"""A simulated world with a known truth: documents, mediocre references, an oracle and simulated annotators.

>>> from precis.sandbox import documents, ideal_summary, rate
>>> document = next(documents(1, seed=0, split="test"))
>>> rate(document, ideal_summary(document, seed=0).text).overall > rate(document, "They talk.").overall
True

`docs/sandbox.md` says how it works, how it could be fooled and what was measured.
"""

from .annotators import ComparerSettings, RankerSettings, compare, rank
from .base import base_model
from .cheats import cheats
from .corpus import corpus
from .critics import CriticSettings, critique, refine
from .generator import SPLITS, document_at, documents
from .oracle import SECOND_JUDGE, OracleSettings, Ratings, rate, rating_records
from .reading import FactReading, Reading, read_facts
from .summaries import LEVELS, ideal_summary, reference_summary, summary_of_facts

__all__ = [
    "LEVELS",
    "SECOND_JUDGE",
    "SPLITS",
    "ComparerSettings",
    "CriticSettings",
    "FactReading",
    "OracleSettings",
    "RankerSettings",
    "Ratings",
    "Reading",
    "base_model",
    "cheats",
    "compare",
    "corpus",
    "critique",
    "document_at",
    "documents",
    "ideal_summary",
    "rank",
    "rate",
    "rating_records",
    "read_facts",
    "reference_summary",
    "refine",
    "summary_of_facts",
]
