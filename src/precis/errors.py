"""The mistakes that are the user's to mend: one clear sentence each, exit code 2, no traceback."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """Something the user can mend; `str(error)` is one sentence that says what and how."""


class BadInput(UserError):
    """A row or file that cannot be read, with its place.

    `str(error)` reads "FILE, line N, field F: WHAT"; the parts that are unknown are left out.
    """

    def __init__(self, what: str, *, path: Path | str | None = None, line: int | None = None, field: str | None = None):
        self.what, self.path, self.line, self.field = what, path, line, field
        place = [str(path)] if path is not None else []
        place += [f"line {line}"] if line is not None else []
        place += [f"field {field!r}"] if field is not None else []
        super().__init__(f"{', '.join(place)}: {what}" if place else what)

    def at(self, *, path: Path | str | None = None, line: int | None = None) -> BadInput:
        """The same mistake, placed: a record knows the field that is wrong, its reader knows the line."""
        return BadInput(self.what, path=path or self.path, line=line or self.line, field=self.field)
