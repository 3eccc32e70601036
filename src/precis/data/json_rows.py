"""JSON files: one object a line (JSONL), one list of objects, or one object that is the whole file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import BadInput
from .files import reading
from .rows import Bad, Row

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def json_rows(path: Path) -> Iterator[Row | Bad]:
    """The objects of a JSONL file or of a JSON list, told apart by their first character.

    A bad line of JSONL is yielded as `Bad`; in a list nothing after the fault can be read, so it raises `BadInput`.
    """
    with reading(path) as stream:
        head = [stream.readline().removeprefix(_BOM)]
        while head[-1].isspace():
            head.append(stream.readline())
        if head[-1].lstrip().startswith(b"["):
            yield from _list_rows(path, b"".join(head) + stream.read())
        else:
            yield from _line_rows(path, chain(head, stream))


def object_rows(path: Path) -> Iterator[Row | Bad]:
    """The one object that is the whole file, on however many lines; a list as `json_rows` reads it."""
    with reading(path) as stream:
        content = stream.read().removeprefix(_BOM)
    if not content.strip():
        return
    if content.lstrip().startswith(b"["):
        yield from _list_rows(path, content)
        return
    try:
        fields = parse(decode(content))
        if not isinstance(fields, dict):
            raise BadInput(f"expected a JSON object, found {type(fields).__name__}")
    except BadInput as error:
        yield Bad(error.at(path=path), content.decode("utf-8", "backslashreplace"))
    else:
        yield Row(1, fields)


def _line_rows(path: Path, lines: Iterable[bytes]) -> Iterator[Row | Bad]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = parse(decode(line.rstrip(b"\r\n")))
            if not isinstance(fields, dict):
                raise BadInput(f"expected a JSON object, found {type(fields).__name__}")
        except BadInput as error:
            yield Bad(error.at(path=path, line=number), line.decode("utf-8", "backslashreplace"))
        else:
            yield Row(number, fields)


def decode(content: bytes) -> str:
    """`content` as text; raises `BadInput` with the first byte that is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadInput(
            f"not UTF-8: byte 0x{content[error.start]:02x} at position {error.start + 1}; save the file as UTF-8"
        ) from error


def parse(text: str) -> Any:
    """The JSON value that is `text`; raises `BadInput`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"not valid JSON: {error.msg} (character {error.pos + 1})") from error
    except RecursionError as error:
        raise BadInput("not readable JSON: nested too deeply") from error
    except ValueError as error:  # a number of more digits than Python converts
        raise BadInput(f"not readable JSON: {error}") from error


def _list_rows(path: Path, content: bytes) -> Iterator[Row | Bad]:
    try:
        text = decode(content)
    except BadInput as error:
        raise error.at(path=path) from error
    line, counted = 1, 0
    at = _skip(text, text.index("[") + 1)
    more = text[at : at + 1] != "]"
    while more:
        line, counted = line + text.count("\n", counted, at), at
        try:
            fields, at = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _broken(error.msg, path, text, error.pos) from error
        except (RecursionError, ValueError) as error:
            raise _broken("nested too deeply, or a number of too many digits", path, text, at) from error
        if isinstance(fields, dict):
            yield Row(line, fields)
        else:
            wrong = BadInput(f"expected a JSON object, found {type(fields).__name__}", path=path, line=line)
            yield Bad(wrong, json.dumps(fields))
        at = _skip(text, at)
        more = text[at : at + 1] == ","
        if not more and text[at : at + 1] != "]":
            raise _broken("expected a comma or the end of the list", path, text, at)
        at = _skip(text, at + 1) if more else at
    if text[at + 1 :].strip():
        raise _broken("something follows the list", path, text, at + 1)


def _skip(text: str, at: int) -> int:
    """The first position from `at` that is not white space."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _broken(what: str, path: Path, text: str, at: int) -> BadInput:
    return BadInput(f"not valid JSON: {what}", path=path, line=text.count("\n", 0, at) + 1)
