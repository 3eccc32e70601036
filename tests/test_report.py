"""The report: hostile text stays text, JSON round-trips, figures are valid, and numbers are shown as measured."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from precis.errors import BadInput, UserError
from precis.evaluation.statistics import Estimate
from precis.report.contents import (
    Block,
    Cell,
    Column,
    Example,
    Examples,
    Notice,
    Output,
    Plot,
    Report,
    Row,
    Run,
    Section,
    Table,
    Text,
    cell,
    from_json,
    number,
    to_json,
)
from precis.report.html import common_n, render_html, shown_rows
from precis.report.write import read_report, write_report
from report_figures import FIGURES


def small_report() -> Report:
    table = Table(
        "A table.",
        (Column("System"), Column("ROUGE-1", "F1", "higher", 100, field="rouge1"), Column("Words", digits=0)),
        (
            Row((Cell("sft"), Cell(0.3111, 0.3, 0.32, 500), Cell(20)), 'system = "sft"'),
            Row((Cell("none"), Cell(None, n=0, why="nothing was judged"), Cell(None, why="no text"))),
        ),
        "A note.",
        "outputs.jsonl",
    )
    example = Example(
        "d_1",
        "Title",
        "The document.",
        ("A reference.",),
        (Output("sft", "An output.", {"R-1": "3"}, "c_1"), Output("empty", "")),
        "drawn",
    )
    blocks: tuple[Block, ...] = (
        Text("One.\n\nTwo."),
        Notice("Careful."),
        Notice("By the way.", "note"),
        table,
        *(Plot(name, data, f"Caption of {name}.", f"What {name} shows") for name, data in FIGURES.items()),
        *(Examples("Some.", (example,), compare) for compare in ("reference", "document", "first", "")),
    )
    run = Run(
        ("precis run x",),
        (0, 1),
        "2026-01-01T00:00:00+00:00",
        {"train": 61.0},
        {"cores": "2"},
        {"python": "3"},
        {"a": [1, None]},
    )
    return Report(
        "Title",
        (Section("One", blocks), Section("Two", (Text("More."),))),
        run,
        ("A finding.",),
        ("A warning.",),
        "Sub",
    )


# JSON


def test_report_survives_json(tmp_path: Path) -> None:
    report = small_report()
    assert from_json(json.loads(json.dumps(to_json(report), allow_nan=False))) == report
    html, plain = write_report(report, tmp_path / "run")
    assert [html.name, plain.name] == ["report.html", "report.json"]
    assert read_report(plain) == report
    assert sorted(path.name for path in html.parent.iterdir()) == ["report.html", "report.json"]


def test_what_json_cannot_say_is_null_with_its_place() -> None:
    table = Table("T", (Column("a"), Column("b")), (Row((Cell("x"), Cell(float("nan"), float("-inf"), 1.0))),))
    data = to_json(Report("R", (Section("S", (table,)),)))
    json.dumps(data, allow_nan=False)
    assert data["sections"][0]["blocks"][0]["rows"][0]["cells"][1]["value"] is None
    assert data["not_finite"] == [
        {"at": "sections[0].blocks[0].rows[0].cells[1].value", "was": "nan"},
        {"at": "sections[0].blocks[0].rows[0].cells[1].low", "was": "-inf"},
    ]


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for text, said in [
        ("{", "not a report"),
        ("[]", "JSON object"),
        ("{}", "precis.report/1"),
        ('{"schema": "precis.report/1"}', "whole"),
    ]:
        path.write_text(text)
        with pytest.raises(BadInput, match=said) as error:
            read_report(path)
        assert str(path) in str(error.value)
    unknown = to_json(small_report())
    unknown["sections"][0]["blocks"][0]["kind"] = "film"
    with pytest.raises(BadInput, match="film"):
        from_json(unknown)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_report(small_report(), tmp_path / "file")


# HTML


class Page(HTMLParser):
    """What a browser would make of the page: elements, attributes, ids, and whether tags balance."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "use", "path"})

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, own, value in self.attributes if own == name]


EVIL = "</title></svg></style></details><script>alert(1)</script><img src=x onerror=alert(1)>"
EVIL += "\"' onmouseover='x' {{7*7}} &amp; $x^2$"


def poisoned(value: Any) -> Any:
    """`value` with every text in it replaced by a hostile one, names of figures, levels and the like excepted."""
    if isinstance(value, str):
        return EVIL
    if is_dataclass(value) and not isinstance(value, type):
        kept = {"figure", "level", "better", "compare"}
        return replace(value, **{f.name: poisoned(getattr(value, f.name)) for f in fields(value) if f.name not in kept})
    if isinstance(value, dict):
        return {key if key in KEYS else EVIL: poisoned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(poisoned(item) for item in value)
    return value


KEYS = {
    "rows",
    "xlabel",
    "ylabel",
    "twin",
    "lines",
    "xlog",
    "marks",
    "panels",
    "series",
    "edges",
    "bins",
    "title",
    "name",
}
KEYS |= {"x", "y", "low", "high", "dots", "label", "value", "n", "mean", "shares", "predicted", "actual", "pairs"}


def test_hostile_text_in_every_field_stays_text() -> None:
    clean, evil = Page(render_html(small_report())), Page(render_html(poisoned(small_report())))
    assert evil.open == []
    assert set(evil.tags) <= set(clean.tags)  # nothing new came to life
    assert evil.tags.count("script") == 1
    assert not {name for _, name, _ in evil.attributes} & {"onerror", "onmouseover"}
    assert evil.tags.count("img") == 0
    assert {name for _, name, _ in evil.attributes} <= {name for _, name, _ in clean.attributes}
    assert "".join(evil.text).count(EVIL) > 50


def test_page_is_well_formed_self_contained_and_the_same_each_time() -> None:
    text = render_html(small_report())
    assert text == render_html(small_report())
    page = Page(text)
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [value[1:] for value in page.values("href") if value.startswith("#")]
    targets += [name for value in page.values("aria-labelledby") for name in value.split()]
    assert set(targets) <= set(ids)
    assert not [value for value in page.values("src") + page.values("href") if "//" in value]
    assert {value for value in page.values("href") if not value.startswith("#")} == {
        "data:,",
        "outputs.jsonl",
        "report.json",
    }
    assert "@import" not in text
    assert "url(http" not in text
    assert "default-src 'none'" in "".join(page.values("content"))


def test_figures_are_described_and_directions_left_to_the_text() -> None:
    page = Page(render_html(small_report()))
    assert "What forest shows" in page.values("aria-label")
    assert page.values("role").count("img") == len(FIGURES)
    assert len(page.values("dir")) > 30
    assert set(page.values("dir")) == {"auto"}
    shown = "".join(page.text)
    assert "(empty)" in shown
    arabic = replace(small_report(), title="ملخّص المحادثات 🎉")
    assert "ملخّص المحادثات 🎉" in "".join(Page(render_html(arabic)).text)


def test_long_documents_are_folded() -> None:
    def folded(length: int) -> bool:
        example = Example("d", "", "x" * length, (), ())
        html = render_html(Report("R", (Section("S", (Examples("E", (example,)),)),)))
        return '<details class="document">' in html

    assert not folded(100)
    assert folded(5000)


def test_white_space_of_texts_is_kept() -> None:
    example = Example("d", "t", " Ann: hi\n\n  Bo: ho\n", (), (Output("s", "a  b\n c"),))
    html = render_html(Report("R", (Section("S", (Examples("E", (example,), ""),)),)))
    assert '<div class="body" dir="auto"> Ann: hi\n\n  Bo: ho\n</div>' in html
    assert '<div class="body" dir="auto">a  b\n c</div>' in html


# Tables


def test_numbers_as_shown() -> None:
    column = Column("x", scale=100, digits=1)
    assert number(0.26947, column) == "26.9"
    assert number(-0.031, column) == "−3.1"
    assert number(-0.0001, column) == "0.0"
    assert number(12345, Column("x", digits=0)) == "12,345"


def test_the_best_is_marked_unless_it_is_an_aside_or_alone() -> None:
    columns = (Column("s"), Column("r", better="higher"), Column("t", better="lower"), Column("u"))

    def row(name: str, r: float | None, t: float, aside: bool = False) -> Row:
        return Row((Cell(name), Cell(r), Cell(t), Cell(1.0)), aside=aside)

    table = Table("T", columns, (row("a", 1.04, 5), row("b", 1.01, 4), row("c", None, 6), row("d", 9, 1, True)))
    best = [[shown.best for shown in cells[1:]] for _, cells in shown_rows(table)]
    # 1.04 and 1.01 both read 1.0, so both are best; the aside is out of the contest.
    assert best == [[True, False, False], [True, True, False], [False, False, False], [False, False, False]]
    alone = Table("T", columns, (row("a", 1, 5),))
    assert not any(shown.best for _, cells in shown_rows(alone) for shown in cells)


def test_n_is_said_once_and_absence_says_why() -> None:
    cells = [
        Cell(1.0, 0.5, 1.5, 500),
        Cell(2.0, 1.5, 2.5, 500),
        Cell(3.0, 2.5, 3.5, 499),
        Cell(None, n=0, why="only ties"),
    ]
    table = Table("T", (Column("s"), Column("v")), tuple(Row((Cell(str(n)), own)) for n, own in enumerate(cells)))
    assert common_n(table) == 500
    shown = [row[1] for _, row in shown_rows(table)]
    assert [own.n for own in shown] == ["", "", "n=499", ""]
    assert [own.interval for own in shown] == ["[0.5, 1.5]", "[1.5, 2.5]", "[2.5, 3.5]", ""]
    assert (shown[3].text, shown[3].why) == ("–", "only ties")
    assert cell(Estimate(None, why="x")) == Cell(None, n=0, why="x")
    html = render_html(Report("R", (Section("S", (table,)),)))
    assert "n = 500 where not said" in html


def test_each_number_names_its_rows() -> None:
    html = render_html(small_report())
    assert 'data-source="outputs.jsonl: rouge1 where system = &#34;sft&#34;"' in html
    assert 'id="s1-b4-r1-c2"' in html
