"""The table of claims: every one of the lecture's has an entry, and every lab it names is there."""

from importlib.util import find_spec

import pytest

from hubel.labs import catalogue
from hubel.labs.lecture import CLAIMS, labs
from hubel.mistakes import Mistake


def test_every_claim_has_an_entry_in_the_lectures_order() -> None:
    assert [claim.id for claim in CLAIMS] == [f"L{i}" for i in range(1, 53)]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_an_entry_has_a_lab_or_says_what_will_show_it(claim: object) -> None:
    lab, later = getattr(claim, "lab"), getattr(claim, "later")  # noqa: B009
    assert (lab is None) == bool(later)
    if lab is not None:
        assert find_spec(f"hubel.labs.{lab.replace('-', '_')}") is not None
        assert callable(catalogue.find(lab))


def test_a_lab_that_is_not_there() -> None:
    with pytest.raises(Mistake, match="'losses'"):
        catalogue.find("loses")
    assert sum(len(claims) for claims in labs().values()) > 30


def test_errata_stand_where_the_slides_err() -> None:
    errata = {claim.id: claim.erratum for claim in CLAIMS if claim.erratum}
    assert "−log₁₀" in errata["L14"]
    assert "61.95" in errata["L11"]
    assert "54.25" in errata["L26"]
    assert "λ" in errata["L17"]
