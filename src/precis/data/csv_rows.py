"""CSV (and TSV) files: a header, then one row a line or, within quotes, several."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import BadInput
from .files import reading
from .json_rows import decode
from .rows import Bad, Fields, Row

_BOM = b"\xef\xbb\xbf"


def csv_rows(path: Path) -> Iterator[Row | Bad]:
    """Rows as `{column: cell}`; cells are text, exactly as written. A tab separates those of a .tsv file.

    A row that breaks the rules (a stray quote, too many cells, not UTF-8) is yielded as `Bad` with its lines. Raises
    `BadInput` for a header without names or with one name twice.
    """
    # Python's bound of 131,072 characters a cell is below one long document.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    with reading(path) as stream:
        lines = _Lines(stream)
        reader = csv.reader(lines, strict=True, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        header: list[str] | None = None
        while True:
            first = lines.start()
            try:
                cells = next(reader)
                if not cells:  # a blank line
                    continue
                if header is None:
                    header = _checked_header(cells, path, first)
                    continue
                if len(cells) != len(header):
                    raise BadInput(f"expected {len(header)} cells, found {len(cells)}")
            except StopIteration:
                return
            except (csv.Error, BadInput) as error:
                wrong = error if isinstance(error, BadInput) else BadInput(f"not valid CSV: {error}")
                wrong = wrong.at(path=path, line=first)
                if header is None:
                    raise wrong from error
                yield Bad(wrong, lines.raw())
            else:
                yield Row(first, dict(zip(header, cells, strict=True)))


def write_csv(stream: BinaryIO, columns: Iterable[str], rows: Iterable[Fields]) -> None:
    """Write a header and rows; every cell is quoted, so that line ends within one survive."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.DictWriter(text, list(columns), quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    finally:
        text.detach()  # the stream is its opener's to close


class _Lines:
    """A binary stream's lines as text, with the numbers and the raw text of those read for the current row."""

    def __init__(self, stream: BinaryIO):
        self.stream = stream
        self.number = 0
        self.current: list[bytes] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.stream.readline()
        if not line:
            raise StopIteration
        if self.number == 0:  # csv itself would take the mark for the first letter of an unquoted cell
            line = line.removeprefix(_BOM)
        self.number += 1
        self.current.append(line)
        return decode(line)

    def start(self) -> int:
        """Begin a row; the number of its first line."""
        self.current.clear()
        return self.number + 1

    def raw(self) -> str:
        return b"".join(self.current).decode("utf-8", "backslashreplace")


def _checked_header(names: list[str], path: Path, line: int) -> list[str]:
    if not all(name.strip() for name in names) or len(set(names)) != len(names):
        raise BadInput(f"expected a header of different names, found {', '.join(names)[:80]!r}", path=path, line=line)
    return names
