"""Files and records: `read` and `write` know each format, `import_into` and `export_from` join them to the store.

for record in read("dialogsum", "dialogsum/train.jsonl"): ...
write("csv", "documents.csv", records)
print(import_into(store, "jsonl", "posts.jsonl", columns={"document": "body"}, skip_bad=Path("bad.jsonl")))
"""

from .importing import ImportReport, export_from, import_into
from .reading import KINDS, read
from .rows import Record
from .splits import parse_shares, split_by_document
from .table import parse_columns
from .tldr_filters import FilterReport, TldrFilter
from .writing import WRITERS, write

__all__ = [
    "KINDS",
    "WRITERS",
    "FilterReport",
    "ImportReport",
    "Record",
    "TldrFilter",
    "export_from",
    "import_into",
    "parse_columns",
    "parse_shares",
    "read",
    "split_by_document",
    "write",
]
