"""The diffusion transformer: what makes it one, on small sizes."""

import pytest
import torch

from sdlab.scratch import dit, relatives
from sdlab.scratch.unet import UNet


def stirred(**sizes):
    """A network whose gates are open."""
    torch.manual_seed(0)
    network = dit.DiT(**({"side": 8, "patch": 2, "width": 16, "depth": 2, "heads": 2} | sizes)).eval()
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return network


def test_it_begins_by_predicting_nothing_and_gives_back_the_shape():
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(dit.DiT()(x, torch.tensor([3, 500])), torch.zeros_like(x))
    assert stirred(channels=4, side=6, patch=3)(torch.randn(2, 4, 6, 6), torch.tensor([1, 2])).shape == (2, 4, 6, 6)


def test_every_patch_looks_at_every_other():
    network, x = stirred(), torch.randn(1, 3, 8, 8)
    other = x.clone()
    other[:, :, 7, 7] += 1  # of the last patch
    changed = (network(other, torch.tensor([5])) - network(x, torch.tensor([5]))).abs().amax(1)[0]
    assert (changed > 1e-6).all()


def test_only_its_place_tells_a_token_where_it_is():
    """Without the embedding of places, patches that change places change places in the answer, and nothing else happens."""
    network, x = stirred(), torch.randn(1, 3, 8, 8)

    def swap(x):
        x = x.clone()
        x[:, :, :2, :2], x[:, :, 4:6, 2:4] = x[:, :, 4:6, 2:4].clone(), x[:, :, :2, :2].clone()
        return x

    t = torch.tensor([5])
    assert not torch.allclose(network(swap(x), t), swap(network(x, t)), atol=1e-2)
    with torch.no_grad():
        network.place_embedding.zero_()
    assert torch.allclose(network(swap(x), t), swap(network(x, t)), atol=1e-5)


def test_every_place_is_another():
    places = dit._places(8, 128)
    assert places.shape == (64, 128)
    assert torch.pdist(places).min() > 0.5


def test_the_level_changes_the_answer():
    network, x = stirred(), torch.randn(1, 3, 8, 8)
    assert not torch.allclose(network(x, torch.tensor([5])), network(x, torch.tensor([400])))


def test_it_is_as_large_as_the_unet_it_is_compared_with():
    sizes = [sum(p.numel() for p in network.parameters()) for network in (dit.DiT(), dit.DiT(patch=4), UNet())]
    assert min(sizes) > 0.9 * max(sizes)


def test_it_learns_by_flow_matching():
    torch.manual_seed(0)
    network = dit.DiT(side=8, patch=2, width=32, depth=2, heads=2)
    picture = torch.linspace(-1, 1, 8).expand(64, 3, 8, 8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = [one.mean().item() for one, _ in relatives.train_flow_matching(network, iter([picture] * 120), optimizer)]
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])


@pytest.mark.parametrize(("call", "said"), [
    (lambda: dit.DiT(side=9, patch=2), "side is 9 and patch 2"),
    (lambda: dit.DiT()(torch.zeros(1, 3, 8, 8), torch.tensor([1])), "the grid is 8×8: this network was made for 16×16"),
])  # fmt: skip
def test_sizes_that_do_not_fit_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
