"""Shallow methods beside a run: one that was cut short is named, and not compared."""

from pathlib import Path

import pytest

import hubel
from hubel.baselines import shallow
from tests.conftest import Heard


def test_what_did_not_converge_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = hubel.train(
        folder, network="linear", epochs=1, size=8, threads=1, out=tmp_path / "run"
    ).run
    monkeypatch.setattr(shallow, "SECONDS", 0.0)
    for _ in range(2):  # measured, and kept
        heard = Heard()
        found = hubel.evaluate(run, watch=heard)
        assert [row.name for row in found.besides] == ["always the most frequent class"]
        (told,) = heard.notices
        assert told.startswith(
            "Not compared with linear machine on the pixels and colour histogram"
        )
        assert "HOG + linear SVM: not trained to the end" in told
    assert "HOG + linear SVM" not in (run / "report.html").read_text()
