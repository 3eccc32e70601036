"""For tests of places that cannot be written: root may write everywhere, so it must step down first."""

from __future__ import annotations

import os
from collections.abc import Callable


def as_nobody(action: Callable[[], None]) -> None:
    """Run `action` without root's power to write anywhere: in a forked process when the tests run as root."""
    if os.geteuid() != 0:
        action()
        return
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            action()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
