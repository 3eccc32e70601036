"""Training: one loop for every objective. Start at `train.train`, or at `online.train_online`.

What is imported here loads without torch, so that a command's help does.
"""

from .config import TrainConfig
from .guards import DEFAULT_GUARDS, Guard
from .online_config import OnlineConfig

__all__ = ["DEFAULT_GUARDS", "Guard", "OnlineConfig", "TrainConfig"]
