"""The table of claims: every one of the lecture's has an entry, and every lab it names is there."""

import inspect
from importlib.util import find_spec

import pytest

from hubel.findings import Claim
from hubel.labs import catalogue
from hubel.labs.lecture import BEYOND, CLAIMS, labs
from hubel.mistakes import Mistake


def test_every_claim_has_an_entry_in_the_lectures_order() -> None:
    assert [claim.id for claim in CLAIMS] == [f"L{i}" for i in range(1, 53)]
    assert [claim.id for claim in BEYOND] == [f"X{i}" for i in range(1, len(BEYOND) + 1)]


@pytest.mark.parametrize("claim", [*CLAIMS, *BEYOND], ids=lambda claim: claim.id)
def test_an_entry_has_a_lab_or_says_what_will_show_it(claim: Claim) -> None:
    assert claim.text
    if claim.lab is None:
        assert claim.later.startswith("hubel lab ")
        assert find_spec(f"hubel.labs.{claim.later.split()[-1].replace('-', '_')}") is None
    else:
        assert not claim.later
        assert find_spec(f"hubel.labs.{claim.lab.replace('-', '_')}") is not None
        lab = catalogue.find(claim.lab)
        assert next(iter(inspect.signature(lab).parameters)) == "setting"


def test_a_lab_that_is_not_there() -> None:
    with pytest.raises(Mistake, match="'losses'"):
        catalogue.find("loses")
    assert sum(len(claims) for claims in labs().values()) >= 30


def test_errata_stand_where_the_slides_err() -> None:
    errata = {claim.id: claim.erratum for claim in CLAIMS if claim.erratum}
    assert "−log₁₀" in errata["L14"]
    assert "61.95" in errata["L11"]
    assert "54.25" in errata["L26"]
    assert "λ" in errata["L17"]
