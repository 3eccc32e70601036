"""Training: one loop for every objective. Start at `train.train`.

What is imported here loads without torch, so that a command's help does.
"""

from .config import TrainConfig
from .guards import DEFAULT_GUARDS, Guard

__all__ = ["DEFAULT_GUARDS", "Guard", "TrainConfig"]
