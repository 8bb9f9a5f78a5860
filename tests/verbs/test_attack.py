"""hubel break: what is counted, written and said, also on the command line; small networks."""

import itertools
import json
import os
import signal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import hubel
from hubel.breaking.norms import L2, LINF
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.verbs import attack as attack_module
from hubel.verbs import attack_subject, attacking
from hubel.verbs.attacking import TRIED
from hubel.verbs.heeding import Heeding
from hubel.verbs.watch import Watch
from tests.conftest import Command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    return hubel.train("digits", network="linear", epochs=4, threads=1, out=out).run


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "others"
    return hubel.train("digits", network="mlp", epochs=4, seed=1, threads=1, out=out).run


QUICK = {"threads": 1, "images": 40, "steps": 10}


class Heard(Watch):
    """Keeps the notices; presses Ctrl-C at a stage."""

    def __init__(self, stop: str = "") -> None:
        self.stop, self.notices, self.stages = stop, list[str](), set[str]()

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        self.stages.add(stage)
        if stage == self.stop and done == 1:
            self.stop = ""
            os.kill(os.getpid(), signal.SIGINT)


def test_the_page_its_pictures_and_its_figures(run: Path, other: Path, tmp_path: Path) -> None:
    watch = Heard()
    found = hubel.attack(
        run, attacks=["fgsm", "pgd", "deepfool"], epsilons=[0.05, 0.2], against=[other], save=True,
        out=tmp_path / "b", watch=watch, **QUICK,
    )  # fmt: skip
    assert not found.stopped
    assert {"fgsm", "pgd", "deepfool", "checks", "transfer"} <= watch.stages
    told = json.loads((tmp_path / "b" / "attack.json").read_text())
    names = {path.name for path in (tmp_path / "b").iterdir()}
    assert {"attack.html", "attack.json", "curves.png", "examples-pgd.png", "adversarial"} <= names
    page = found.page.read_text()
    assert "http" not in page.split("</style>")[1]
    assert "Are the attacks sound?" in page
    assert str(tmp_path) not in json.dumps(told)
    clean = told["clean"]
    assert clean["of"] == 40
    own = [row for row in told["attacks"] if not row["model"]]
    rows = {(row["attack"], round(row["epsilon"], 2)): row for row in own}
    assert {attack for attack, _ in rows} >= {"fgsm", "pgd", "deepfool"}
    for row in rows.values():
        # both denominators: what is left of all, what was fooled of the right ones
        assert row["accuracy"]["of"] == 40
        assert row["success"]["of"] == clean["part"]
        assert row["accuracy"]["part"] == clean["part"] - row["success"]["part"]
        assert row["reloaded"]["part"] <= row["success"]["part"]
        assert row["accuracy"]["interval"][0] <= row["accuracy"]["share"]
    assert rows["pgd", 0.2]["success"]["part"] >= rows["fgsm", 0.2]["success"]["part"] > 0
    assert told["sound"], told["checks"]
    tried = {(each["attack"], each["norm"], each["epsilon"]) for each in told["checks"]}
    assert {(attack, norm) for attack, norm, _ in tried} >= {("pgd", "linf"), ("deepfool", "l2")}
    assert {epsilon for _, _, epsilon in tried} <= {0.05, 0.2}
    (smallest,) = told["smallest"]
    assert smallest["norm"] == "l2"
    assert sum(smallest["by"].values()) == len(smallest["pictures"]) <= smallest["of"]
    assert "The smallest change that any of the attacks found" in page
    assert (told["transfer"]["norm"], told["transfer"]["epsilon"]) == ("linf", 0.2)
    names, shares = told["transfer"]["networks"], told["transfer"]["shares"]
    assert names == ["digits", "others"]
    assert shares[0][0] >= shares[0][1]
    theirs = [row for row in told["attacks"] if row["model"] == "others"]
    assert [row["attack"] for row in theirs] == ["fgsm"] * 2 + ["pgd"] * 2 + ["deepfool"] * 2
    assert all(row["before"]["of"] == 40 for row in theirs)
    assert any("pgd" in line and "51/255" in line for line in found.lines)


def test_the_saved_set_is_a_data_set_within_epsilon_that_fools(run: Path, tmp_path: Path) -> None:
    watch = Heard()
    found = hubel.attack(
        run, attacks=["pgd"], epsilons=[0.15], save=True, checks=False, out=tmp_path / "b",
        watch=watch, **QUICK,
    )  # fmt: skip
    assert found.saved == tmp_path / "b" / "adversarial"
    again = hubel.evaluate(run, found.saved, baselines=False, threads=1)
    fooled = found.found.rows[0].success.part
    right = found.found.clean.part
    assert again.n == right
    assert round(again.accuracy * again.n) <= right - fooled  # at full strength, and from files
    (told,) = (line for line in watch.notices if "are in adversarial/" in line)
    assert f"{right} pictures made by pgd" in told


@pytest.mark.slow
def test_a_target_is_what_they_are_taken_for(run: Path, tmp_path: Path) -> None:
    found = hubel.attack(
        run, attacks=["pgd-l2", "cw"], epsilons=[3.0], target="7", out=tmp_path / "b", **QUICK
    )
    for row in found.found.rows:
        assert row.success.part > 0.9 * row.success.of
        assert row.success.of < found.found.clean.part  # those that are 7s already are left out
    on = {(check.attack, check.name) for check in found.found.checks}
    assert len(on) == 4
    assert all(check.passed for check in found.found.checks)


class Blind(nn.Module):
    """Sees a picture's mean in so many levels; hands no gradient back."""

    def forward(self, x: Tensor) -> Tensor:
        level = (x.detach().mean((1, 2, 3)) * 200).round() / 200
        return torch.stack((0.5 - level, level - 0.5, torch.zeros_like(level) - 9), 1) * 20


def test_without_a_gradient_it_searches_and_says_so(folder: Path, tmp_path: Path) -> None:
    spec = PixelSpec((12, 12), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = Classifier(Blind(), classes=("dark", "light", "grey"), pixels=spec)
    watch = Heard()
    found = hubel.attack(
        model, folder, attacks=["fgsm", "pgd"], epsilons=[0.5], out=tmp_path / "b", watch=watch,
        **QUICK,
    )  # fmt: skip
    assert [row.attack for row in found.found.rows] == ["search"]
    assert found.found.rows[0].success.part > 0
    assert any("hands no gradient back" in line for line in watch.notices)
    assert "give way to the random search" in found.page.read_text()


def test_damaged_weights_are_a_failure_and_a_blind_network_is_searched(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    damaged = hubel.load(run)
    with torch.no_grad():
        next(damaged.parameters()).fill_(torch.nan)
    for verb in (hubel.attack, hubel.corrupt):
        with pytest.raises(Failure, match="not finite"):
            verb(damaged, "digits", images=10, threads=1, out=tmp_path / "n")
    spec = PixelSpec((12, 12), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    blind = Classifier(Blind(), classes=("dark", "light", "grey"), pixels=spec)
    aimed = hubel.attack(
        blind, folder, out=tmp_path / "b", target="light", epsilons=[1.0],
        **QUICK,  # type: ignore[arg-type]
    ).found  # fmt: skip
    assert [(row.attack, row.success.part == row.success.of) for row in aimed.rows] == [
        ("search", True)
    ]
    found = hubel.attack(
        blind, folder, attacks=["pgd-l2"], epsilons=[1.0], out=tmp_path / "b",
        **QUICK,  # type: ignore[arg-type]
    ).found  # fmt: skip
    assert [(row.attack, row.norm) for row in found.rows] == [("search-l2", "l2")]


def test_the_callers_modes_do_not_matter(run: Path, tmp_path: Path) -> None:
    how = {"attacks": ["pgd"], "epsilons": [0.1], "checks": False} | QUICK
    plain = hubel.attack(run, out=tmp_path / "a", **how)  # type: ignore[arg-type]
    with torch.inference_mode():
        inside = hubel.attack(run, out=tmp_path / "b", **how)  # type: ignore[arg-type]
    assert inside.found.rows == plain.found.rows


@pytest.mark.slow
def test_nothing_of_the_users_is_replaced(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"attacks": ["fgsm"], "epsilons": [0.2], "checks": False} | QUICK
    saved = hubel.attack(run, out=tmp_path / "b", save=True, **how).saved  # type: ignore[arg-type]
    with pytest.raises(Mistake, match=r"lies in .*, where the attack goes"):
        hubel.attack(run, saved, out=tmp_path / "b", **how)  # type: ignore[arg-type]
    assert saved is not None
    assert any(saved.rglob("*.png"))
    (saved / "notes.txt").write_text("mine")
    hubel.attack(run, out=tmp_path / "b", **how)  # type: ignore[arg-type]
    assert [path.name for path in saved.rglob("*")] == ["notes.txt"]  # without the set it had
    (tmp_path / "c").mkdir()
    monkeypatch.chdir(tmp_path / "c")
    hubel.attack(run, out=".", **how)  # type: ignore[arg-type]
    assert (tmp_path / "c" / "attack.html").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(Mistake, match="is a file"):
        hubel.attack(run, out=tmp_path / "file" / "below", **how)  # type: ignore[arg-type]


@pytest.mark.slow
def test_stopped_before_anything_is_done_it_changes_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"attacks": ["cw"], "epsilons": [0.5], "checks": False} | QUICK
    page = hubel.attack(run, out=tmp_path / "b", **how).page  # type: ignore[arg-type]
    before = page.read_bytes()
    monkeypatch.setattr(attack_subject, "AT_ONCE", 64 * 8 * 10)  # ten pictures
    with pytest.raises(KeyboardInterrupt):
        hubel.attack(run, out=tmp_path / "b", watch=Heard(stop="cw"), **how)  # type: ignore[arg-type]
    assert page.read_bytes() == before


class Bright(nn.Module):
    """Two classes, told apart by the mean."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3))
        return torch.stack((0.5 - mean, mean - 0.5), 1) * 20


@pytest.mark.slow
def test_two_classes_and_one_picture(folder: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    for name in ("dark", "light"):
        (two / name).mkdir(parents=True)
        (folder / name / "0.png").rename(two / name / "0.png")
    spec = PixelSpec((12, 12), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = Classifier(Bright(), classes=("dark", "light"), pixels=spec)
    for attacks, epsilon in ((["fgsm", "pgd"], 0.9), (["deepfool", "lbfgs", "cw"], 20.0)):
        for images in (2, 1):
            found = hubel.attack(
                model, two, attacks=attacks, epsilons=[epsilon], images=images, threads=1,
                out=tmp_path / "b",
            ).found  # fmt: skip
            assert found.clean.part == images
            assert [row.success.part for row in found.rows] == [images] * len(attacks)
            assert found.sound


def test_ctrl_c_keeps_what_is_done(run: Path, tmp_path: Path) -> None:
    watch = Heard(stop="pgd")
    found = hubel.attack(
        run, attacks=["fgsm", "pgd"], epsilons=[0.1, 0.2], out=tmp_path / "b", watch=watch, **QUICK
    )
    assert found.stopped
    # the batch at work was ended, and is kept
    done = [(row.attack, row.epsilon) for row in found.found.rows]
    assert done == [("fgsm", 0.1), ("fgsm", 0.2), ("pgd", 0.1)]
    assert "Stopped before all was done" in found.page.read_text()
    assert found.page.exists()
    assert "checks" not in watch.stages


def test_mistakes(run: Path, folder: Path, tmp_path: Path) -> None:
    def attack(**given: object) -> None:
        hubel.attack(run, out=tmp_path / "b", **QUICK | given)  # type: ignore[arg-type]

    for given, said in (
        ({"attacks": ["pdg"]}, "Did you mean 'pgd'"),
        ({"attacks": []}, "Name at least one attack"),
        ({"attacks": ["deepfool"], "target": 3}, "has no target"),
        ({"epsilons": []}, "at least one ε"),
        ({"epsilons": [8.0]}, "8/255"),
        ({"epsilons": [0.0]}, "above 0"),
        ({"epsilons": [300.0]}, "above 0"),
        ({"steps": 0}, "1 or more"),
        ({"images": 0}, "--images is 1 or more"),
        ({"target": "twelve"}, "There is no class 'twelve'"),
        ({"data": folder}, "classes that the model does not know"),
    ):
        with pytest.raises(Mistake, match=said):
            attack(**given)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").write_text("dear")
    with pytest.raises(Mistake, match="holds something that is no attack"):
        attack()
    spec = PixelSpec((12, 12), 3)
    wrong = Classifier(Blind(), classes=("light", "grey", "dark"), pixels=spec)
    with pytest.raises(Failure, match=r"names none of \d+ pictures"):
        hubel.attack(wrong, folder, out=tmp_path / "c", **QUICK)


@pytest.mark.slow
def test_other_norms_have_epsilons_of_their_own(run: Path, tmp_path: Path) -> None:
    found = hubel.attack(
        run, attacks=["pgd", "pgd-l2"], checks=False, out=tmp_path / "b", **QUICK
    ).found
    by_norm = {
        norm.name: [row.epsilon for row in found.rows if row.norm == norm.name]
        for norm in (LINF, L2)
    }
    assert by_norm["linf"] == [level / 255 for level in (1, 2, 4, 8, 16, 32)]
    assert by_norm["l2"] == pytest.approx([4 * each for each in by_norm["linf"]])  # √64 / 2


def test_the_command_line(hubel_command: Command, run: Path, tmp_path: Path) -> None:
    asked = ("break", run, "--images", 20, "--threads", 1, "--steps", 5, "--out", tmp_path / "b")
    answer = hubel_command(*asked, "--attack", "pgd", "--epsilon", "16/255", "--no-checks")
    assert answer.code == 0, answer.err
    assert "pgd" in answer.out
    assert "16/255" in answer.out
    assert f"Page  {tmp_path / 'b' / 'attack.html'}" in answer.out
    answer = hubel_command(*asked, "--attack", "fgsm", "--epsilon", "0.1", "--no-checks", "--json")
    told = json.loads(answer.out)
    assert [row["attack"] for row in told["attacks"]] == ["fgsm"]
    assert told["page"] == str(tmp_path / "b" / "attack.html")
    for words, message in (
        (("--epsilon", "8"), "of 255 levels that is 8/255"),
        (("--epsilon", "small"), "--epsilon is a number such as 0.03 or 8/255, not 'small'"),
        (("--epsilon", "1/0"), "--epsilon is a number"),
        (("--by", "shapes"), "There is no way to break a model 'shapes'. Did you mean 'shape'"),
        (("--by", "fooling"), "--images belongs to --by attacks"),
        (("--by", "corruptions", "--attack", "pgd"), "belongs to --by attacks"),
        (("--referee", run), "--referee belongs to --by shape, not to --by attacks"),
        (("--class", "7"), "--class belongs to --by fooling"),
    ):
        answer = hubel_command(*asked, *words)
        assert (answer.code, answer.out) == (2, ""), words
        assert message in answer.err, answer.err


def test_the_minutes_pay_for_so_many_pictures_and_checks(run: Path, tmp_path: Path) -> None:
    class Slow:
        """A work whose attacks take so long, by the seconds that its `cost` says."""

        at = SimpleNamespace(n=150, target=None)
        blind = False

        def __init__(self, each: float, trial: float) -> None:
            self.cost = lambda _names, _clock: (each, trial)

        def possible(self, names: list[str]) -> list[str]:
            return names

    def paid(each: float, trial: float, **how: Any) -> tuple[int, int, str]:
        usual = {"images": None, "minutes": 1, "others": 0, "checks": True} | how
        given = usual.pop("images"), usual.pop("minutes"), usual.pop("others")
        return attack_module._paid(Slow(each, trial), ["pgd"], *given, **usual)

    assert paid(0.01, 0.1) == (150, TRIED, "")  # all that there is
    n, tried, told = paid(1.0, 2.0)
    assert (n, tried) == (40, 10)  # two thirds of a minute, and what is left
    assert told == (
        "To keep to --minutes 1, 40 of 150 pictures are attacked and the attacks are checked on 10 "
        "pictures: that is about 60 s of work at most."
    )
    assert paid(1.0, 1.0, others=1)[:2] == (20, 10)  # the others are put on trial, too
    assert paid(1.0, 2.0, checks=False)[0] == 60
    assert paid(1.0, 2.0, minutes=10)[0] == 150
    n, tried, told = paid(1.0, 2.0, images=150)  # as asked; the checks keep to their third
    assert (n, tried) == (150, 10)
    assert told.startswith(
        "To keep to --minutes 1, the attacks are checked on 10 pictures: that is about 3 min"
    )
    assert paid(1000.0, 1000.0)[:2] == (20, 8)  # and never fewer
    with pytest.raises(Mistake, match="--minutes is above 0"):
        hubel.attack(run, minutes=0, out=tmp_path / "b")


@pytest.mark.slow
def test_fewer_pictures_are_a_draw_of_all(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(step=1000.0)  # every look at the clock is much later
    monkeypatch.setattr(attack_module, "_paid", partial(attack_module._paid, clock=ticks.__next__))
    watch = Heard()
    found = hubel.attack(
        run, attacks=["fgsm"], epsilons=[0.1], out=tmp_path / "b", threads=1, watch=watch
    )
    assert found.found.clean.of == attack_module.LEAST
    assert any(f"{attack_module.LEAST} of " in each for each in watch.notices)
    assert any("the attacks are checked on 8 pictures" in line for line in found.found.lines)


def test_a_stop_is_heard_within_an_attack(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a step, not only after a batch of pictures."""
    steps = 0
    forward = Heeding.forward

    def counted(self: Heeding, pixels: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        if steps == 60:
            os.kill(os.getpid(), signal.SIGINT)
        assert steps <= 60
        return forward(self, pixels)

    monkeypatch.setattr(attacking.Work, "cost", lambda *_: (0.0, 0.0))
    monkeypatch.setattr(Heeding, "forward", counted)
    found = hubel.attack(
        run, attacks=["fgsm", "pgd"], epsilons=[0.02], out=tmp_path / "b", images=30, threads=1,
        steps=200,
    )  # fmt: skip
    assert found.stopped
    assert {row.attack for row in found.found.rows} == {"fgsm"}
