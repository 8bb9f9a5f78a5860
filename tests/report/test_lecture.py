"""lecture.html: every claim with its verdict, in order, in one file that loads nothing."""

import io
import re
from pathlib import Path

from PIL import Image

from hubel.findings import HOLDS, HOLDS_NOT, NOT_SHOWN, Claim, Drawing, Finding
from hubel.report.lecture import FAILED, LATER, Entry, lecture_page

FACTS = {"date": "2026-01-31", "hubel": "0.1.0", "torch": "2.13.0", "machine": "2 × processor",
         "size": "usual", "seed": "0", "seconds": 200.0}  # fmt: skip


def _drawing(width: int, height: int) -> Drawing:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "png")
    return Drawing("dots", file.getvalue(), "Dots <b> & more.")


def _entries() -> list[Entry]:
    first = Entry(
        Claim("L1", "One <script>alert(1)</script>.", "one", erratum="Not two."),
        Finding("L1", "It is 1 < 2.", True, "five starts", "0.9 to 1.1"),
        (_drawing(600, 300),),
        lines=tuple(f"line {i}" for i in range(100)),
    )
    second = Entry(
        Claim("L2", "Two.", "one"), Finding("L2", "It is 3.", False, "ten"), pictured_at="L1"
    )
    third = Entry(Claim("L3", "Three.", "two"), Finding("L3", "No data.", None, "none", "wide"))
    fourth = Entry(Claim("L4", "Four.", "three"), failed="The disk is full.")
    fifth = Entry(Claim("L5", "Five.", None, later="hubel lab five"))
    return [first, second, third, fourth, fifth]


def _section(text: str, id_: str) -> str:
    found = re.search(rf'<section id="{id_}".*?</section>', text, re.DOTALL)
    assert found
    return found[0]


def test_every_claim_stands_in_order_with_what_was_measured() -> None:
    text = lecture_page(_entries(), facts=FACTS)
    ids = [f"L{i}" for i in range(1, 6)]
    assert re.findall(r'<section id="(L\d+)"', text) == ids
    assert re.findall(r'<a href="#(L\d+)">', text.partition("Contents")[2])[:5] == ids
    said = {
        "L1": (HOLDS, "It is 1 &lt; 2.", "n: five starts.", "Spread: 0.9 to 1.1.", "Not two."),
        "L2": (HOLDS_NOT, "It is 3.", "n: ten.", 'see <a href="#L1">L1</a>'),
        "L3": (NOT_SHOWN, "No data.", "n: none."),
        "L4": (FAILED, "The disk is full."),
        "L5": (LATER, "Will be shown by <code>hubel lab five</code>"),
    }
    for id_, words in said.items():
        section = _section(text, id_)
        assert all(word in section for word in words), (id_, words)
        for other in {HOLDS, HOLDS_NOT, NOT_SHOWN, FAILED, LATER} - {words[0]}:
            assert f">{other}</span>" not in section
    assert "Spread" not in _section(text, "L3")  # nothing was measured


def test_the_head_counts_verdicts_and_says_when_and_where() -> None:
    text = lecture_page([*_entries(), _entries()[0]], facts=FACTS)
    tiles = dict(re.findall(r"<dt>([^<]*)</dt><dd>(\d+)</dd>", text))
    assert {name.lower(): int(n) for name, n in tiles.items()} == {
        HOLDS: 2, HOLDS_NOT: 1, NOT_SHOWN: 1, FAILED: 1, LATER: 1,
    }  # fmt: skip
    assert "2026-01-31, hubel 0.1.0, torch 2.13.0, 2 × processor; seed 0; " in text
    assert "3 min 20 s" in text
    assert "mean little" not in text
    assert "mean little" in lecture_page(_entries(), facts=FACTS | {"size": "quick"})


def test_the_page_is_one_file_and_what_it_is_told_stays_text() -> None:
    text = lecture_page(_entries(), facts=FACTS)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text
    assert all(uri.startswith("data:") for uri in re.findall(r'src="([^"]*)"', text))
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', text))
    assert "Dots &lt;b&gt; &amp; more." in text


def test_a_picture_has_its_size_and_a_long_print_is_cut() -> None:
    (picture,) = _entries()[0].pictures
    assert (picture.width, picture.height) == (300, 150)  # two pixels to the point
    text = _section(lecture_page(_entries(), facts=FACTS), "L1")
    assert "--width: 300.0pt; aspect-ratio: 300.0 / 150.0" in text
    assert "line 39\n… and 60 more lines\n</pre>" in text
    short = Entry(_entries()[0].claim, lines=("a", "b"))
    assert short.printed == ["a", "b"]


def test_a_sum_is_as_good_as_the_least_of_its_parts() -> None:
    claim = Claim("L6", "In sum.", None, later="hubel lab --all")
    first, second, third, fourth, fifth = _entries()
    for parts, verdict in (
        ((first,), HOLDS),
        ((second, first), HOLDS_NOT),
        ((first, third, second), NOT_SHOWN),
        ((fourth, first), FAILED),
        ((first, fifth, fourth), LATER),
    ):
        assert Entry(claim, parts=parts).verdict == verdict
    text = _section(lecture_page([Entry(claim, parts=(first, fifth))], facts=FACTS), "L6")
    assert re.findall(r'<a href="#(L\d)">L\d</a> <span class="verdict \w+">([^<]*)<', text) == [
        ("L1", HOLDS), ("L5", LATER),
    ]  # fmt: skip


def test_marks_of_the_templates_are_in_the_style() -> None:
    text = lecture_page(_entries(), facts=FACTS)
    used = set(re.findall(r'class="([^"]*)"', text.partition("</style>")[2]))
    css = (Path(__file__).parents[2] / "src/hubel/report/page.css").read_text(encoding="utf-8")
    names = {name for names in used for name in names.split()}
    assert {name for name in names if f".{name}" not in css} == set()
