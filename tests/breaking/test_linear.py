"""Fooling a linear classifier: closed forms, quadratic and linear programmes, and the contracts."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import Tensor, nn

from hubel.breaking.linear import DIRECTIONS, LinearFooling, fool_features, fool_linear, moved
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.networks.linear import linear
from hubel.networks.small import small
from hubel.pixels import PixelSpec

SPEC = PixelSpec((4, 3), 1, (0.3,), (0.25,))
NAMES = ("a", "b", "c", "d")


def made(network: nn.Module) -> Classifier:
    return Classifier(network, classes=NAMES, pixels=SPEC).double().eval()


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return made(linear(classes=4, channels=1, size=(4, 3)))


X = torch.rand(9, 1, 4, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def named(classifier: Classifier) -> Tensor:
    with torch.no_grad():
        return classifier(X).argmax(1)


def weights(classifier: Classifier) -> Tensor:
    score = classifier.network.get_submodule("score")
    assert isinstance(score, nn.Linear)
    return score.weight.detach() / SPEC.std[0]  # (K, 12), of pixels


def test_without_a_box_it_is_the_distance_to_the_plane(classifier: Classifier) -> None:
    labels = named(classifier)
    w, logits = weights(classifier), classifier(X).detach()
    found = {name: fool_linear(classifier, X, labels, direction=name, box=False)
             for name in DIRECTIONS}  # fmt: skip
    for i, y in enumerate(labels.tolist()):
        for j in range(4):
            if j == y:
                assert all(math.isinf(float(each.passed[i, j])) for each in found.values())
                continue
            lead, apart = float(logits[i, y] - logits[i, j]), w[j] - w[y]
            far = lead / float(apart.norm())
            assert float(found["difference"].passing.l2[i, j]) == pytest.approx(far, rel=1e-9)
            least = lead / float(apart.abs().sum())
            assert float(found["sign"].passed[i, j]) == pytest.approx(least, rel=1e-9)
            assert float(found["sign"].passing.linf[i, j]) == pytest.approx(least, rel=1e-9)
            rise = float(w[j] @ apart)  # of w_j · (w_j − w_y)
            alpha = lead / rise if rise > 0 else math.inf
            assert float(found["template"].passed[i, j]) == pytest.approx(alpha, rel=1e-9)


def test_in_the_box_no_change_is_smaller(classifier: Classifier) -> None:
    """The least L2 change by a quadratic programme, the least L∞ change by a linear one."""
    labels = named(classifier)
    w, logits = weights(classifier).numpy(), classifier(X).detach()
    straight = fool_linear(classifier, X, labels, direction="difference")
    signs = fool_linear(classifier, X, labels, direction="sign")
    compared = 0
    for i in range(4):
        x, y = X[i].flatten().numpy(), int(labels[i])
        for j in set(range(4)) - {y}:
            lead, apart = float(logits[i, y] - logits[i, j]), w[j] - w[y]
            most = float(np.where(apart > 0, 1 - x, -x) @ apart)
            assert math.isfinite(float(straight.passed[i, j])) == (most >= lead)
            if most < lead:
                continue
            # ‖δ‖² with apart·δ ≥ lead and x + δ in the box
            least = minimize(
                lambda d: d @ d, np.zeros(12), jac=lambda d: 2 * d, method="SLSQP", tol=1e-14,
                bounds=list(zip(-x, 1 - x, strict=True)),
                constraints={"type": "ineq", "fun": lambda d, a=apart, m=lead: a @ d - m,
                             "jac": lambda _d, a=apart: a},
            )  # fmt: skip
            assert least.success
            length = float(straight.passing.l2[i, j])
            assert length == pytest.approx(np.sqrt(least.fun), rel=1e-5)
            # t with −t ≤ δ ≤ t besides
            eye, one = np.eye(12), np.ones((12, 1))
            programme = linprog(
                [*np.zeros(12), 1], bounds=[*zip(-x, 1 - x, strict=True), (0, None)],
                A_ub=np.block([[-apart[None], np.zeros((1, 1))], [eye, -one], [-eye, -one]]),
                b_ub=[-lead, *np.zeros(24)],
            )  # fmt: skip
            assert programme.success
            assert float(signs.passing.linf[i, j]) == pytest.approx(programme.fun, rel=1e-7)
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("box", [True, False])
def test_pictures_flip_there_and_not_before(
    classifier: Classifier, direction: str, box: bool
) -> None:
    labels = named(classifier)
    found = fool_linear(classifier, X, labels, direction=direction, box=box)
    there = found.alpha.isfinite()
    assert bool(there.any())
    classes = torch.arange(4).expand(9, 4)
    assert torch.equal(found.answers[there], classes[there])
    assert torch.equal(found.answers[~there], labels[:, None].expand(9, 4)[~there])
    assert torch.equal(found.images[~there], X[:, None].expand(found.images.shape)[~there])
    w = weights(classifier).view(4, 1, 4, 3)
    d = DIRECTIONS[direction](w, labels)
    bounds = (0.0, 1.0) if box else None
    for share in (0.5, 0.999):
        before = moved(X[:, None], d, share * found.alpha, bounds)
        answers = classifier(before.flatten(0, 1)).argmax(1).view(9, 4)
        assert not bool((answers == classes)[there].any())
    change = (moved(X[:, None], d, found.alpha, bounds) - X[:, None]).flatten(2)
    for sizes, expected in ((found.change.linf, change.abs().amax(2)),
                            (found.change.l2, change.norm(dim=2))):  # fmt: skip
        torch.testing.assert_close(sizes[there], expected[there], rtol=1e-12, atol=0)
        assert bool(sizes[~there].isinf().all())
    if box:
        assert 0 <= float(found.images.min()) <= float(found.images.max()) <= 1


def test_a_picture_that_is_named_wrongly_needs_no_change_for_its_answer(
    classifier: Classifier,
) -> None:
    named_as = named(classifier)
    found = fool_linear(classifier, X, (named_as + 1) % 4)
    assert bool((found.alpha.gather(1, named_as[:, None]) == 0).all())
    assert bool((found.change.linf.gather(1, named_as[:, None]) == 0).all())


def test_a_direction_of_ones_own_is_the_same_for_every_class(classifier: Classifier) -> None:
    labels = named(classifier)
    w = weights(classifier).view(4, 1, 4, 3)
    own = torch.stack([w[2] - w[int(y)] for y in labels])
    found = fool_linear(classifier, X, labels, direction=own)
    expected = fool_linear(classifier, X, labels, direction="difference")
    assert torch.allclose(found.alpha[:, 2], expected.alpha[:, 2], rtol=1e-9)
    assert torch.allclose(found.passed[:, 2], expected.passed[:, 2], rtol=1e-9)


def same(one: LinearFooling, other: LinearFooling) -> bool:
    flat = [[*each[:3], *each.change, *each.passing, *each[5:]] for each in (one, other)]
    return all(torch.equal(a, b) for a, b in zip(*flat, strict=True))


def test_one_alone_is_as_in_a_batch_and_nothing_is_left_behind(classifier: Classifier) -> None:
    labels = named(classifier)
    classifier.train()
    whole = fool_linear(classifier, X, labels)
    alone = fool_linear(classifier, X[3:4], labels[3:4])
    assert torch.equal(whole.alpha[3:4], alone.alpha)
    assert torch.equal(whole.images[3:4], alone.images)
    state = torch.random.get_rng_state()
    with torch.inference_mode():
        assert same(whole, fool_linear(classifier, X, labels))
    assert torch.equal(state, torch.random.get_rng_state())
    assert classifier.training
    assert classifier.network.training
    assert all(p.grad is None and p.requires_grad for p in classifier.parameters())
    assert not classifier.network._forward_pre_hooks
    none = fool_linear(classifier, X[:0], labels[:0])
    assert none.alpha.shape == (0, 4)
    assert none.images.shape == (0, 4, 1, 4, 3)


def test_in_single_precision_the_network_says_so_itself() -> None:
    torch.manual_seed(0)
    classifier = made(linear(classes=4, channels=1, size=(4, 3))).float()
    x = X.float()
    labels = classifier(x).argmax(1)
    found = fool_linear(classifier, x, labels)
    assert found.images.dtype == torch.float32
    assert found.alpha.dtype == torch.float64
    there = found.alpha.isfinite()
    assert torch.equal(found.answers[there], torch.arange(4).expand(9, 4)[there])


def test_features_are_moved_in_front_of_any_last_layer() -> None:
    torch.manual_seed(0)
    classifier = made(small(classes=4, channels=1, size=(4, 4), widths=(4, 5, 6)))
    x = torch.rand(5, 1, 4, 4, dtype=torch.float64)
    head = classifier.network.get_submodule("head")
    assert isinstance(head, nn.Linear)
    logits = classifier(x).detach()
    labels = logits.argmax(1)
    found = fool_features(classifier, x, labels, direction="difference")
    assert found.images.shape == (5, 4, 12)
    for i, y in enumerate(labels.tolist()):
        for j in set(range(4)) - {y}:
            apart = (head.weight[j] - head.weight[y]).detach()
            far = float((logits[i, y] - logits[i, j]) / apart.norm())
            assert float(found.passing.l2[i, j]) == pytest.approx(far, rel=1e-9)
    there = found.alpha.isfinite()
    assert bool(there.any())
    answers = head(found.images).argmax(2)
    assert torch.equal(answers[there], torch.arange(4).expand(5, 4)[there])
    assert torch.equal(found.answers, answers)


def test_bad_input_is_said(classifier: Classifier) -> None:
    labels = named(classifier)
    with pytest.raises(Mistake, match="Did you mean 'template'"):
        fool_linear(classifier, X, labels, direction="templates")
    with pytest.raises(Mistake, match="of the inputs' shape"):
        fool_linear(classifier, X, labels, direction=X[:2])
    with pytest.raises(Mistake, match="Labels are 0 to 3; found 4"):
        fool_linear(classifier, X, labels + 4 - labels)
    with pytest.raises(Mistake, match="Pixels are from 0 to 1"):
        fool_linear(classifier, X * 255, labels)
    with pytest.raises(Mistake, match="not linear in its pixels"):
        fool_linear(made(small(classes=4, channels=1, size=(4, 4))),
                    torch.rand(2, 1, 4, 4, dtype=torch.float64), labels[:2])  # fmt: skip
