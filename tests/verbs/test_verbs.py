"""The verbs in Python: a network of one's own, predictions in every form, what a run leaves."""

import io
import json
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel.data.samples import Row
from hubel.mistakes import Mistake
from hubel.output import LISTING
from hubel.run import Run
from hubel.training import evaluate as figures
from hubel.verbs import machine
from hubel.verbs.prepare import statistics
from hubel.verbs.watch import Watch
from tests.conftest import QUICK, Command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    hubel.train("digits", network="linear", epochs=2, out=out, threads=1)
    hubel.evaluate(out)
    return out


def test_a_run_folder_holds_the_whole_story(run: Path) -> None:
    assert {p.name for p in run.iterdir()} == {
        *("recipe.toml", "environment.json", "classes.json", "splits.csv", "metrics.csv"),
        *("log.txt", "status.json", "checkpoints", "model", "README.md", "report.html"),
        *("validation.json", "test.json", "baselines.json", "lock", LISTING),
    }
    assert {p.name for p in (run / "checkpoints").iterdir()} == {
        *("best", "best-previous", "last", "previous"),
    }
    rows = Run(run).read_table("splits.csv", Row)
    assert len(rows) == 1797
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert len(Run(run).read_table("metrics.csv", dict[str, str])) == 2
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "finished"


def test_a_card_and_a_report_with_the_users_own_words_are_kept(
    run: Path, tmp_path: Path, hubel_command: Command
) -> None:
    own = tmp_path / "run"
    shutil.copytree(run, own)
    (own / "README.md").write_text("# Mine\nFor the hospital's use alone.\n")
    (own / "report.html").write_text("with my remarks")
    for _ in range(2):  # the second replaces what the first wrote beside them
        found = hubel_command("evaluate", own, "--threads", 1)
        assert found.code == 0
        for name in ("README", "report"):
            assert len(re.findall(rf"{name}\S+ is not as hubel wrote it, so it is kept; the new "
                                  rf"one is {name}-2\.", found.err)) == 1  # fmt: skip
        assert found.out.endswith(f"Report   {own / 'report-2.html'}\n")
        assert (own / "README.md").read_text() == "# Mine\nFor the hospital's use alone.\n"
        assert (own / "report.html").read_text() == "with my remarks"
        assert "Accuracy" in (own / "report-2.html").read_text()
        assert not [*own.glob("*-3.*")]
    (own / "report.html").unlink()
    assert hubel_command("evaluate", own).out.endswith(f"Report   {own / 'report.html'}\n")


def test_a_table_of_epochs_that_was_emptied_is_told(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "metrics.csv").write_text("[[[[")
    told: list[str] = []
    watch = Watch()
    watch.notice = told.append  # type: ignore[method-assign]
    hubel.evaluate(tmp_path / "run", watch=watch)
    assert len(told) == 1
    assert re.search(r"metrics\.csv is damaged: of \d epochs it has 0\.$", told[0])


def test_nothing_is_written_into_a_run_that_another_process_holds(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    told: list[str] = []
    watch = Watch()
    watch.notice = told.append  # type: ignore[method-assign]
    with Run(run).locked():
        hubel.evaluate(run, watch=watch)
    assert len(told) == 1
    assert "is in use by another process" in told[0]
    assert {p: p.read_bytes() for p in run.iterdir() if p.is_file()} == before


def test_the_report_is_one_file_that_loads_nothing_and_names_no_machine(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)
    assert "Test accuracy" in page
    card = (run / "README.md").read_text()
    for text in (page, card):
        assert str(run) not in text
        assert str(Path.home()) not in text


def test_evaluating_counts_what_predicting_says(run: Path) -> None:
    classifier = hubel.load(run)
    found = hubel.evaluate(run)
    from hubel.data.sources import open_splits

    test = open_splits("digits").test
    pictures = [test.image(i) for i in range(len(test))]
    answers = hubel.predict(classifier, pictures, top=1)
    right = [
        p.classes[0][0] == test.classes[label]
        for p, label in zip(answers, test.labels, strict=True)
    ]
    assert sum(right) / len(right) == found.accuracy
    assert int(found.confusion.sum()) == found.n == 359
    assert found.interval[0] < found.accuracy < found.interval[1]


def test_per_class_figures_against_scikit_learn() -> None:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 7, generator=generator)
    labels = torch.randint(0, 7, (200,), generator=generator)
    found = figures.evaluation(logits, labels, tuple("abcdefg"))
    predicted = logits.argmax(1).numpy()
    expected = precision_recall_fscore_support(labels.numpy(), predicted, zero_division=0)
    ours = [[r.precision for r in found.classes], [r.recall for r in found.classes],
            [r.f1 for r in found.classes], [r.n for r in found.classes]]  # fmt: skip
    assert np.allclose(ours, expected, rtol=1e-12)
    assert np.array_equal(found.confusion, confusion_matrix(labels.numpy(), predicted))
    fifth = np.sort(logits.numpy(), 1)[:, -5]
    slow = np.mean([logits[i, labels[i]] >= fifth[i] for i in range(200)])
    assert found.top5 == pytest.approx(slow)


def test_wilson_against_scipy_and_at_the_ends() -> None:
    from scipy.stats import binomtest

    for right, n in ((0, 10), (10, 10), (3, 7), (980, 1000)):
        expected = binomtest(right, n).proportion_ci(method="wilson")
        assert figures.wilson(right, n) == pytest.approx(tuple(expected), abs=1e-12)


def test_statistics_against_numpy() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 6, 7), dtype=np.uint8)
    images[:, 1] = 9
    mean, std = statistics(images)
    scaled = images / 255
    assert mean == pytest.approx(scaled.mean((0, 2, 3)), abs=1e-12)
    assert std[::2] == pytest.approx(scaled.std((0, 2, 3))[::2], abs=1e-12)
    assert std[1] == 1e-3  # a constant channel is not divided by nothing


def test_predict_takes_files_folders_globs_bytes_images_and_arrays(run: Path, folder: Path) -> None:
    path = folder / "dark" / "0.png"
    with Image.open(path) as image:
        forms = [str(path), path, path.read_bytes(), image.copy(), np.asarray(image)]
    answers = hubel.predict(run, forms)
    assert len({a.classes for a in answers}) == 1
    assert sum(p for _, p in hubel.predict(run, path, top=10)[0].classes) == pytest.approx(1)
    assert len(hubel.predict(run, folder)) == 30
    assert len(hubel.predict(run, str(folder / "*" / "1.png"))) == 3


def test_a_batch_of_pictures_is_its_singles(run: Path, folder: Path) -> None:
    together = hubel.predict(run, folder, batch_size=7)
    alone = [hubel.predict(run, a.image)[0] for a in together]
    for a, b in zip(together, alone, strict=True):
        assert [n for n, _ in a.classes] == [n for n, _ in b.classes]
        assert [p for _, p in a.classes] == pytest.approx([p for _, p in b.classes], abs=1e-6)


def test_predict_on_the_command_line(
    hubel_command: Command, run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = folder / "dark" / "0.png", folder / "junk.png"
    bad.write_bytes(b"junk")
    answer = hubel_command("predict", run, good, bad, "--json")
    assert answer.code == 1
    assert f"could not read {bad}" in answer.err
    found = json.loads(answer.out)
    assert found[0]["image"] == str(good)
    probabilities = [c["probability"] for c in found[0]["classes"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(probabilities) == 5
    assert found[1]["classes"] == []
    table = hubel_command("predict", run, good, "--csv", "--top", 2)
    assert table.code == 0
    assert table.out.splitlines()[0] == "image,rank,class,probability,error,strangeness"
    assert len(table.out.splitlines()) == 3
    assert str(good) in hubel_command("predict", run, good).out

    class Stdin:
        buffer = io.BytesIO(good.read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin)
    piped = json.loads(hubel_command("predict", run, "-", "--json").out)
    assert piped[0]["classes"] == found[0]["classes"]


def test_json_of_train_and_evaluate(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run", "--json")
    last = json.loads(answer.out.splitlines()[-1])
    assert Path(last["run"]) == (tmp_path / "run").resolve()
    assert 0 <= last["validation"]["accuracy"] <= 1
    found = json.loads(hubel_command("evaluate", tmp_path / "run", "--json").out)
    assert found["n"] == 6
    assert len(found["interval"]) == 2
    elsewhere = json.loads(hubel_command("evaluate", tmp_path / "run", folder, "--json").out)
    assert elsewhere["n"] == 30  # another folder without a test split: all of it
    validation = hubel_command("evaluate", tmp_path / "run", "--split", "validation", "--json")
    assert json.loads(validation.out)["accuracy"] == last["validation"]["accuracy"]
    one = json.loads(hubel_command("networks", "lenet5-1998", "--json").out)
    assert one[0]["name"] == "lenet5-1998"
    assert one[0]["parameters"] == 60_000


def test_the_newest_run_is_evaluated_when_none_is_named(
    hubel_command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hubel_command("evaluate").code == 2
    assert hubel_command("train", folder, *QUICK).code == 0
    answer = hubel_command("evaluate")
    assert answer.code == 0
    assert "Accuracy" in answer.out
    assert "report.html" in answer.out


def test_the_same_seed_is_the_same_run(folder: Path, tmp_path: Path) -> None:
    weights = [
        (hubel.train(folder, network="small", size=8, epochs=2, batch_size=7, seed=seed, threads=1,
                     out=tmp_path / name).run / "model" / "model.safetensors").read_bytes()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]  # fmt: skip
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": "all", "optimiser": "sgd", "lr": 0.2, "epochs": 30},
        {"batch_size": 1, "optimiser": "sgd", "lr": 0.01, "epochs": 1},
        {"optimiser": "adamw", "lr": 0.01, "schedule": "plateau", "l1": 1e-4, "l2": 1e-4},
        {"loss": "hinge", "optimiser": "sgd", "lr": 0.05, "initialisation": "xavier"},
        {"loss": "binary-cross-entropy", "schedule": "cosine", "warmup": 0.5, "lr": 0.2},
        {"class_weights": "balanced", "smoothing": 0.1, "flip": True, "crop": 1, "patience": 1},
        {"network": "mlp", "arguments": {"activation": "maxout", "dropout": 0.2}},
        {"network": "lenet5-1998", "loss": "map", "optimiser": "sgd", "lr": 0.003, "epochs": 4,
         "schedule": "constant"},
        {"network": "resnet20", "epochs": 3, "recipe": "resnet-2015", "lr": 0.05},
        {"recipe": "alexnet-2012", "size": 7, "margin": 1},
    ],
)  # fmt: skip
def test_every_kind_of_setting_trains(tmp_path: Path, settings: dict[str, object]) -> None:
    base = {"network": "linear", "epochs": 2, "batch_size": 64}
    trained = hubel.train("digits", out=tmp_path / "run", threads=1, **{**base, **settings})  # type: ignore[arg-type]
    assert trained.history
    first, last = trained.history[0], trained.history[-1]
    if len(trained.history) > 1:
        assert last["loss"] < first["loss"]
    assert trained.validation.accuracy > 0.15


def test_a_margin_is_cut_in_training_and_left_out_in_answers(tmp_path: Path, folder: Path) -> None:
    settings = {"network": "linear", "epochs": 1, "size": 8, "margin": 4, "recipe": "fast"}
    trained = hubel.train(folder, out=tmp_path / "run", threads=1, **settings)  # type: ignore[arg-type]
    spec = trained.classifier.pixels
    assert spec.size == (8, 8)
    assert spec.crop_fraction == 8 / 12
    again = hubel.load(tmp_path / "run")
    picture = np.zeros((12, 12, 3), np.uint8)
    picture[2:10, 2:10] = 255  # just what the network is to see
    assert bool((again.read(picture) == 1).all())
    with pytest.raises(Mistake, match="margin=0"):
        hubel.train(folder, network="linear", margin=4, resize="squash", recipe="fast")


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    class Mine(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.layer = nn.Linear(64, width)
            self.head = nn.Linear(width, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.head(torch.relu(self.layer(x.flatten(1))))
            return scores

    spec = hubel.PixelSpec((8, 8), channels=1)
    mine = hubel.Classifier(
        Mine(5), classes=("a", "b"), pixels=spec, blueprint=hubel.Blueprint("mine", {"width": 5})
    )
    folder = mine.save(tmp_path / "model")
    again = hubel.Classifier.load(folder, build=lambda name, width: Mine(width))
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(mine(x), again(x))
    assert hubel.predict(again, np.zeros((8, 8), np.uint8))[0].classes
    with pytest.raises(hubel.Failure, match="build="):
        hubel.load(folder)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with machine.threads(1) as inside:
        assert inside == 1
    assert torch.get_num_threads() == before


def test_the_number_of_threads_is_the_calling_threads_own() -> None:
    before, seen = torch.get_num_threads(), list[int]()

    def asks() -> None:
        torch.ones(2).sum()
        with machine.threads(3):
            there.set()
            gone.wait()
            seen.append(torch.get_num_threads())

    there, gone = threading.Event(), threading.Event()
    other = threading.Thread(target=asks)
    other.start()
    there.wait()
    assert torch.get_num_threads() == before
    with machine.threads(2):
        gone.set()
        other.join()
        assert torch.get_num_threads() == 2
    assert seen == [3]


def test_deterministic_kernels_stay_as_long_as_somebody_wants_them() -> None:
    asked = torch.are_deterministic_algorithms_enabled
    assert not asked()
    first, second = machine.deterministic(wanted=True), machine.deterministic(wanted=True)
    without = machine.deterministic(wanted=False)
    without.__enter__()
    first.__enter__()
    without.__exit__(None, None, None)  # what wanted none puts nothing back
    second.__enter__()
    first.__exit__(None, None, None)
    assert asked()
    second.__exit__(None, None, None)
    assert not asked()


def test_doctor_and_lists(hubel_command: Command) -> None:
    answer = hubel_command("doctor", "--json")
    assert answer.code == 0, answer.out
    assert {row["what"] for row in json.loads(answer.out)} >= {"torch", "disk", "digits"}
    assert "fashion-mnist" in hubel_command("data", "list").out
    names = {row["name"] for row in json.loads(hubel_command("networks", "--json").out)}
    assert {"small", "lenet5-1998", "resnet110", "efficientnet-lite0"} <= names


def test_data_show(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    (folder / "dark" / "0.png").write_bytes(b"junk")
    answer = hubel_command("data", "show", folder, "--out", tmp_path / "looked")
    assert answer.code == 0, answer.err
    assert "all 12×12" in answer.out
    assert "even: 10 of each class" in answer.out
    with Image.open(tmp_path / "looked" / "contact-sheet.png") as image:
        assert image.width > 200


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict", "data", "networks", "doctor"])
def test_help_has_examples(hubel_command: Command, verb: str) -> None:
    answer = hubel_command(verb, "--help")
    assert answer.code == 0
    assert "hubel" in answer.out
    if verb != "data":
        assert "Example" in answer.out
