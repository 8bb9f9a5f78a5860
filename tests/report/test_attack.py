"""The page of attacks: whose figures the headline goes by, what overshoots, the smallest change."""

import math
from collections.abc import Sequence

import pytest
from matplotlib.figure import Figure

from hubel.report import attack as module
from hubel.report.attack import (
    Attacks,
    Row,
    Share,
    Smallest,
    Transfer,
    Tried,
    attack_page,
    curves,
)

FACTS = {"date": "2026-01-31", "hubel": "1", "torch": "2", "model": "mine", "data": "test",
         "pictures": 40, "of": 40, "target": None, "seed": 0}  # fmt: skip


def share(part: int) -> Share:
    return Share(part, 40, (0.0, 1.0))


def row(attack: str, epsilon: float, fooled: int, norm: str = "linf") -> Row:
    return Row(attack, norm, epsilon, share(40 - fooled), share(fooled), share(fooled),
               share(fooled), epsilon if fooled else None, share(40))  # fmt: skip


def tried(attack: str, passed: bool, norm: str = "l2", name: str = "it holds") -> Tried:
    return Tried(name, passed, "so many", attack, norm, 1.5)


def attacks(rows: Sequence[Row], checks: Sequence[Tried] = (), **more: object) -> Attacks:
    made = {each.attack: "in words" for each in rows}
    return Attacks(share(40), rows, made, (), checks, **more)  # type: ignore[arg-type]


def test_a_failed_check_comes_first_in_the_headline() -> None:
    rows = [row("pgd-l2", 1.5, 10, "l2"), row("apgd-l2", 1.5, 30, "l2")]
    sound = attacks(rows[:1], [tried("pgd-l2", True)])
    assert sound.sound
    assert sound.headline.startswith("Of 40 pictures that were right, pgd-l2 fools 10")
    weak = attacks(rows, [tried("pgd-l2", False), tried("apgd-l2", True)])
    assert weak.sound
    assert weak.failed == ["pgd-l2"]
    assert weak.headline.startswith(
        "pgd-l2 fails the checks of a sound attack: go by the stronger one that went on. apgd-l2 "
        "turns 30 of 40"
    )
    masked = attacks(rows, [tried("pgd-l2", False), tried("apgd-l2", False)])
    assert not masked.sound
    assert masked.headline.startswith("pgd-l2 and apgd-l2 fail the checks of a sound attack: the")
    # sound in one norm is not sound in the other
    assert not attacks(rows, [tried("pgd", False, "linf"), tried("pgd-l2", True)]).sound
    assert "go by the stronger" in attack_page(weak, FACTS)
    assert "look stronger than it is" in attack_page(masked, FACTS)


def test_why_one_step_recovers_is_said_where_it_does() -> None:
    rows = [row("fgsm", 0.1, 30), row("fgsm", 0.2, 20), row("pgd", 0.1, 35), row("pgd", 0.2, 40)]
    assert attacks(rows).overshot == [
        "fgsm fools 30 pictures within 0.1, but only 20 within 51/255"
    ]
    page = attack_page(attacks(rows), FACTS)
    assert "goes past what a shorter one reaches" in page
    assert attacks([rows[0], rows[2], rows[3]]).overshot == []
    # chance does it to an attack of many steps, and that is no reason
    assert attacks([row("pgd", 0.1, 35), row("pgd", 0.2, 34)]).overshot == []


def test_the_smallest_change_is_the_best_of_all_and_named() -> None:
    found = Smallest.among("l2", ["a", "b", "c", "d"], [1.0, math.inf, 3.0, 2.0],
                           ["ddn", "", "cw", "ddn"])  # fmt: skip
    assert found.by == {"ddn": 2, "cw": 1}
    assert found.quartiles == pytest.approx((1.5, 2.0, 2.5))
    assert found.as_json()["pictures"] == [
        {"name": "a", "size": 1.0, "attack": "ddn"},
        {"name": "c", "size": 3.0, "attack": "cw"},
        {"name": "d", "size": 2.0, "attack": "ddn"},
    ]  # fmt: skip
    assert (
        "a median size of 2 in L2, and one from 1.5 to 2.5 for half of the pictures" in found.told
    )
    assert "found for 3 of 4 pictures, by ddn 2, cw 1" in found.told
    none = Smallest.among("l2", ["a"], [math.inf], [""])
    assert none.told == "No attack fools any of 1 pictures in L2."
    page = attack_page(attacks([row("ddn", 1.5, 3, "l2")], smallest=(found,)), FACTS)
    assert "by ddn 2, cw 1" in page


def test_the_transfer_names_its_norm() -> None:
    matrix = Transfer(("mine", "other"), ((1.0, math.nan), (0.5, 1.0)), 30, "l2", 1.5)
    page = attack_page(attacks([row("pgd-l2", 1.5, 20, "l2")], transfer=matrix), FACTS)
    assert "after PGD within L2 1.5" in page
    assert matrix.as_json()["shares"] == [[1.0, None], [0.5, 1.0]]


def test_tables_scroll_in_their_column() -> None:
    found = attacks([row("pgd", 0.1, 3)], [tried("pgd", True)],
                    transfer=Transfer(("m",), ((1.0,),), 3, "linf", 0.1))  # fmt: skip
    page = attack_page(found, FACTS)
    assert page.count("<table") == page.count('<div class="scroll">\n  <table') == 3


def test_lines_that_lie_on_each_other_are_all_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(module, "png", lambda figure: [drawn.append(figure), b""][1])
    names = ("fgsm", "pgd", "apgd", "search")
    curves([row(name, e, 30) for name in names for e in (0.1, 0.2)], share(40))
    [axes] = drawn[0].axes
    widths = [line.get_linewidth() for line in axes.lines if line.get_label() in names]
    assert widths[:3] == sorted(widths[:3], reverse=True)
    assert min(widths) > 1
    drawn[0].draw_without_rendering()
    [legend] = drawn[0].legends
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_every_column_has_a_name() -> None:
    page = attack_page(attacks([row("pgd", 0.1, 3)], [tried("pgd", True)]), FACTS)
    assert page.count("<thead>") == 2
    assert "<th></th>" not in page
