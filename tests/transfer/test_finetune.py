"""What learns, from when on, how fast; batch norms that stay; a head of another size."""

import pytest
import torch
from torch import nn

from hubel.mistakes import Mistake
from hubel.model import Classifier, PixelSpec
from hubel.transfer.features import head, headless, pooled
from hubel.transfer.finetune import depths, learned, rates, thaw, thawed, train_mode, with_head


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 7),
    )  # fmt: skip


def test_the_head_is_the_last_linear_layer_of_the_classes() -> None:
    assert head(network(), 7) == "6"
    with pytest.raises(Mistake, match="8 outputs"):
        head(network(), 8)
    with pytest.raises(Mistake, match="last layer"):
        head(nn.Conv2d(3, 2, 3), 2)


def test_a_new_head_leaves_the_rest_and_the_original() -> None:
    before = network()
    made, name = with_head(before, 7, 3, seed=0)
    assert made.get_submodule(name).out_features == 3
    assert before[6].out_features == 7
    for key, value in before.state_dict().items():
        if not key.startswith("6"):
            assert torch.equal(made.state_dict()[key], value)
    again, _ = with_head(before, 7, 3, seed=0)
    assert torch.equal(made.get_submodule(name).weight, again.get_submodule(name).weight)


def test_a_single_layer_is_the_last() -> None:
    single = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    assert depths(single) == {"1.weight": 1.0, "1.bias": 1.0}
    thaw(single, 0.35)
    assert all(parameter.requires_grad for parameter in single.parameters())


def test_depths_and_rates_grow_towards_the_head() -> None:
    found = depths(network())
    assert found["0.weight"] == found["0.bias"] == 0
    assert found["1.weight"] == 0.5
    assert found["6.bias"] == 1
    assert rates(network(), 0.01)["1.weight"] == pytest.approx(0.1)
    with pytest.raises(Mistake, match="share"):
        rates(network(), 0)


@pytest.mark.parametrize(
    ("share", "learn"), [(0.0, {"6"}), (0.4, {"6"}), (0.5, {"1", "6"}), (1.0, {"0", "1", "6"})]
)
def test_thawing_from_the_end(share: float, learn: set[str]) -> None:
    made = network()
    thaw(made, share)
    assert {n.split(".")[0] for n, p in made.named_parameters() if p.requires_grad} == learn


@pytest.mark.parametrize("share", [0.35, 1.0])
def test_learned_counts_what_was_trained(share: float) -> None:
    made = nn.Sequential(*(nn.Linear(3, 3) for _ in range(8)))
    epochs = 9
    ever: set[str] = set()
    for epoch in range(1, epochs + 1):  # the first fits the last layer alone
        now = thawed(epoch - 1, first=1, last=epochs - 1, share=share) if epoch > 1 else 0.0
        thaw(made, now)
        ever |= {name for name, each in made.named_parameters() if each.requires_grad}
        numbers = sum(each.numel() for name, each in made.named_parameters() if name in ever)
        assert learned(made, epoch, epochs=epochs, share=share) == numbers
    assert learned(made, 1, epochs=1, share=share) == 12


def test_thawed_grows_and_ends_at_the_share() -> None:
    row = [thawed(epoch, first=1, last=9, share=0.5) for epoch in range(1, 10)]
    assert row == sorted(row)
    assert row[-1] == 0.5
    assert row[0] == 0.125


def test_batch_norms_keep_their_statistics() -> None:
    made = network()
    before = {k: v.clone() for k, v in made.state_dict().items() if "running" in k or "num" in k}
    train_mode(made)
    assert made.training
    assert made[5].training
    for _ in range(3):
        made(torch.rand(8, 3, 6, 6) * 9).sum().backward()
    assert all(torch.equal(made.state_dict()[key], value) for key, value in before.items())
    assert made[1].weight.grad is not None


def test_pooled_are_what_the_head_is_given() -> None:
    made = network().eval()
    spec = PixelSpec((6, 6))
    classifier = Classifier(made, classes=tuple("abcdefg"), pixels=spec)
    images = torch.randint(0, 256, (5, 3, 9, 9), dtype=torch.uint8)
    found = pooled(classifier, images.numpy())
    given = made[:6]((images / 255 - 0.5) / 0.5)
    torch.testing.assert_close(found, given, atol=1e-6, rtol=1e-5)
    assert pooled(classifier, images[:0].numpy()).numel() == 0
    assert isinstance(headless(classifier).network[6], nn.Identity)
    assert isinstance(classifier.network[6], nn.Linear)
