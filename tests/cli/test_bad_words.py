"""Words that mean nothing: each is answered in a sentence with the word in it, and exit code 2."""

from pathlib import Path

import pytest

from tests.conftest import Command

WRONG = {
    "data": (("train", "digitz"), "'digitz'", "digits"),
    "no data": (("train",), "No data", "hubel train digits"),
    "network": (("train", "digits", "--network", "resnet21"), "'resnet21'", "resnet20"),
    "recipe": (("train", "digits", "--recipe", "fsat"), "'fsat'", "fast"),
    "recipe file": (("train", "digits", "--recipe", "none.toml"), "none.toml", "no such file"),
    "setting": (("train", "digits", "--set", "lr"), "'lr'", "key=value"),
    "brackets": (("train", "digits", "--set", f"lr={'[' * 100_000}"), "lr", "brackets"),
    "an endless rate": (("train", "digits", "--set", "lr=inf"), "inf", "lr: input should be"),
    "no rate at all": (("train", "digits", "--set", "warmup=nan"), "nan", "warmup"),
    "a rate beyond float32": (("train", "digits", "--set", "l2=1e308"), "1e+308", "l2"),
    "an endless argument": (
        ("train", "digits", "--set", "arguments.dropout=inf"), "inf", "arguments: must be texts"
    ),
    "loss": (("train", "digits", "--set", "loss=hing"), "'hing'", "hinge"),
    "optimiser": (("train", "digits", "--set", "optimiser=sdg"), "'sdg'", "sgd"),
    "schedule": (("train", "digits", "--set", "schedule=cos"), "'cos'", "cosine"),
    "initialisation": (("train", "digits", "--set", "initialisation=hee"), "'hee'", "he"),
    "batch": (("train", "digits", "--batch-size", "many"), "'many'", "batch_size"),
    "lr": (("train", "digits", "--lr", "-1"), "-1", "greater than 0"),
    "epochs": (("train", "digits", "--epochs", "0"), "found 0", "epochs"),
    "share": (("train", "digits", "--validation", "1.5"), "1.5", "validation"),
    "test share": (("train", "digits", "--test", "0.2"), "digits", "leave --test out"),
    "device": (("train", "digits", "--device", "gpu"), "'gpu'", "cuda"),
    "cuda": (("train", "digits", "--device", "cuda:99"), "'cuda:99'", "--device cpu"),
    "threads": (("train", "digits", "--threads", "0"), "not 0", "--threads"),
    "many threads": (("train", "digits", "--threads", "1000"), "not 1000", "processors"),
    "minutes": (("train", "digits", "--minutes", "-3"), "-3", "minutes"),
    "resume": (("train", "--resume", "nowhere"), "nowhere", "recipe.toml"),
    "resume with data": (("train", "digits", "--resume", "x"), "--resume", "keeps its data"),
    "argument": (
        ("train", "digits", "--set", "arguments.dropuot=0.5"), "'dropuot'", "dropout"
    ),
    "argument value": (
        ("train", "digits", "--set", "arguments.dropout=much"), "much", "cannot be built"
    ),
    "reserved argument": (
        ("train", "digits", "--set", "arguments.classes=3"), "classes", "follows from the data"
    ),
    "class weights": (
        ("train", "digits", "--set", "loss=hinge", "--set", "smoothing=0.1"), "hinge", "Smoothing"
    ),
    "model": (("predict", "efficientnet-lite", "x.jpg"), "'efficientnet-lite'", "lite0"),
    "untrained model": (("predict", "resnet20", "x.jpg"), "'resnet20'", "train it"),
    "no pictures": (("predict", "efficientnet-lite0", "*.nothing"), "*.nothing", "No file"),
    "top": (("predict", "efficientnet-lite0", "x.jpg", "--top", "0"), "not 0", "--top"),
    "evaluate": (("evaluate", "efficientnet-lite0"), "DATA", "name"),
    "split": (("evaluate", "efficientnet-lite0", "digits", "--split", "dev"), "'dev'", "test"),
    "classes": (("evaluate", "efficientnet-lite0", "digits"), "0, 1, 2, 3, 4", "1000"),
    "networks": (("networks", "lenet6"), "'lenet6'", "lenet5"),
    "data get": (("data", "get", "cifar"), "'cifar'", "cifar10"),
    "data show": (("data", "show", "mnist2"), "'mnist2'", "mnist"),
    "verb": (("trian", "digits"), "trian", ""),
    "option": (("train", "digits", "--epoch", "3"), "--epoch", "--epochs"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_the_sentence_has_the_word_and_the_way_out(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words, offending, hint = WRONG[case]
    answer = hubel_command(*words)
    assert answer.code == 2, answer
    assert offending in answer.err
    assert hint in answer.err
    assert list(tmp_path.iterdir()) == []


def test_all_unknown_keys_are_listed_at_once(hubel_command: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('epoch = 3\nlearning_rate = 0.1\nnetwork = "linear"\nlr = -2\n')
    answer = hubel_command("train", "digits", "--recipe", recipe)
    assert answer.code == 2
    for word in ("'epoch'", "'epochs'", "'learning_rate'", "lr", "-2", "3 places"):
        assert word in answer.err
    recipe.write_text('epochs = 1\nlr = 0.1\nnetwork = "linear"\noptimiser = "sgd"\n')
    out = tmp_path / "run"
    assert hubel_command("train", "digits", "--recipe", recipe, "--out", out).code == 0
    assert 'recipe = "fast"' in (out / "recipe.toml").read_text()


def test_a_recipe_that_is_no_toml(hubel_command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("epochs: 3")
    answer = hubel_command("train", "digits", "--recipe", tmp_path / "mine.toml")
    assert answer.code == 2
    assert "mine.toml cannot be taken: it is not TOML" in answer.err


def test_a_data_set_that_is_not_here_says_how_to_get_it(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path))
    answer = hubel_command("train", "cifar10")
    assert answer.code == 1
    assert "hubel data get cifar10" in answer.err
    assert str(tmp_path) in answer.err
