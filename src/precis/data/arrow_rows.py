"""Arrow's files: Parquet, and the folders that Hugging Face's `datasets` saves (read without that library)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import BadInput, UserError
from .files import files_at, reading, split_of, writing
from .json_rows import decode, parse
from .rows import Bad, Row

# Few enough that a batch of long articles fits into memory, enough that the overhead is small.
_BATCH_ROWS = 256


def parquet_rows(path: Path) -> Iterator[Row | Bad]:
    """The rows of a Parquet file; raises `BadInput` if it is truncated or none."""
    import pyarrow.parquet as parquet

    with reading(path) as stream, _readable(path, "Parquet"):
        yield from _numbered(parquet.ParquetFile(stream).iter_batches(_BATCH_ROWS))


def arrow_rows(path: Path) -> Iterator[Row | Bad]:
    """The rows of an Arrow stream file, as `datasets` saves them; raises `BadInput` if it is truncated or none."""
    import pyarrow as pa

    with reading(path) as stream, _readable(path, "Arrow"):
        yield from _numbered(_sane(batch, path) for batch in pa.ipc.open_stream(stream))


def dataset_files(folder: Path) -> list[tuple[Path, str]]:
    """The data files of a `datasets` folder with their splits: one saved data set, several splits, or Parquet files.

    Raises `UserError` for a folder that is none of these, and for a saved selection whose rows are in another file.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; expected one that `datasets` saved")
    if (folder / "dataset_dict.json").is_file():
        splits = _json_of(folder / "dataset_dict.json").get("splits")
        if not isinstance(splits, list) or not all(isinstance(split, str) and split for split in splits):
            raise BadInput("expected the list of splits", path=folder / "dataset_dict.json", field="splits")
        return [(file, split) for split in splits for file, _ in dataset_files(folder / split)]
    if (folder / "state.json").is_file():
        state = _json_of(folder / "state.json")
        if state.get("_indices_data_files"):
            raise UserError(f"{folder} is a selection of another data set; save `dataset.flatten_indices()` instead")
        files = state.get("_data_files")
        names = [file.get("filename") if isinstance(file, dict) else None for file in files or []]
        if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise BadInput("expected the names of the data files", path=folder / "state.json", field="_data_files")
        split = state.get("_split")
        return [(folder / str(name), split if isinstance(split, str) else "") for name in names]
    inner = folder / "data" if (folder / "data").is_dir() else folder
    return [(file, split_of(file)) for file in files_at(inner, {".parquet"})]


def write_parquet(stream: BinaryIO, rows: Iterable[dict[str, Any]], columns: Sequence[tuple[str, bool]]) -> None:
    """Write rows of text; `columns` are names, and whether the column holds a list of texts."""
    import pyarrow.parquet as parquet

    schema = _schema(columns)
    with parquet.ParquetWriter(stream, schema) as writer:
        for batch in _batches(rows, schema):
            writer.write_batch(batch)


def write_dataset(folder: Path, splits: dict[str, list[dict[str, Any]]], columns: Sequence[tuple[str, bool]]) -> None:
    """Write rows as `datasets.load_from_disk` reads them: one sub-folder a split."""
    import pyarrow as pa

    schema = _schema(columns)
    for split, rows in splits.items():
        (folder / split).mkdir()
        with (
            writing(folder / split / "data-00000-of-00001.arrow") as stream,
            pa.ipc.new_stream(stream, schema) as writer,
        ):
            for batch in _batches(rows, schema):
                writer.write_batch(batch)
        state: dict[str, Any] = {
            "_data_files": [{"filename": "data-00000-of-00001.arrow"}],
            "_fingerprint": f"precis-{split}",
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        (folder / split / "state.json").write_text(json.dumps(state), "utf-8")
        (folder / split / "dataset_info.json").write_text("{}", "utf-8")
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}), "utf-8")


def _sane(batch: Any, path: Path) -> Any:
    """`batch`, unless damage makes it claim rows without end, which would fill the memory."""
    if batch.num_rows > path.stat().st_size:
        raise BadInput(f"not a whole Arrow file (it claims {batch.num_rows:,} rows); was it cut short?", path=path)
    return batch


def _numbered(batches: Iterable[Any]) -> Iterator[Row]:
    number = 0
    for batch in batches:
        batch.validate(full=True)  # pyarrow trusts the offsets in a file; wrong ones would crash the process
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            for fields in batch.slice(start, _BATCH_ROWS).to_pylist():
                number += 1
                yield Row(number, fields)


@contextmanager
def _readable(path: Path, kind: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    # A damaged file can claim any size and any text encoding; pyarrow raises what these happen to run into.
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        said = str(error).splitlines()
        raise BadInput(
            f"not a whole {kind} file ({said[0][:200] if said else type(error).__name__}); was it cut short?", path=path
        ) from error


def _schema(columns: Sequence[tuple[str, bool]]) -> Any:
    import pyarrow as pa

    # `large_` types: a batch may hold more than 2 GiB of text.
    return pa.schema([(name, pa.list_(pa.large_string()) if many else pa.large_string()) for name, many in columns])


def _batches(rows: Iterable[dict[str, Any]], schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist(batch, schema=schema)


def _json_of(path: Path) -> dict[str, Any]:
    with reading(path) as stream:
        try:
            value = parse(decode(stream.read()))
        except BadInput as error:
            raise error.at(path=path) from error
    if not isinstance(value, dict):
        raise BadInput(f"expected a JSON object, found {type(value).__name__}", path=path)
    return value
