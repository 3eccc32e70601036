"""Memory that stays: each step of a training takes the same blocks again, and glibc would give them back in between.

On CPUs, taking them anew from the kernel, page by page, costs a training more than some of its matrix products
(docs/results/speed.md). This is the command line's to decide: who imports precis keeps the process as it is.
"""

from __future__ import annotations

import ctypes
import os

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = -1


def keep_memory() -> None:
    """Never give memory back to the kernel, and have torch ask for huge pages; where there is no glibc, nothing."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it once, when it first allocates
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, NEVER)
        mallopt(M_MMAP_MAX, 0)
