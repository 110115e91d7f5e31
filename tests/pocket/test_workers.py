"""Pictures drawn by worker processes, as the configuration for a GPU draws them: forked ones, and ones that begin anew."""

import multiprocessing
import pickle
from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from pocket.stages.config import CPU, GPU
from pocket.stages.controlnet import Placer, draw_with_scribble
from pocket.world import catalog
from pocket.world.framing import Framer, photograph
from pocket.world.scene import Inventor, draw
from pocket.world.stream import Scenes, batches

WORKERS = 4
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than this machine has cores


def pixels(pair):
    """A number that tells whether a sprite was read whole."""
    return int(catalog.sprite(*pair).astype(int).sum())


class Sprites(Dataset):
    """Many sprites, read one by one."""

    def __init__(self):
        self.pairs = [(name, emoji_set) for name in catalog.concepts() for emoji_set in ("noto", "twemoji")][::4][:240]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return torch.tensor(pixels(self.pairs[i]))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_forked_workers_read_every_sprite_whole():
    data = Sprites()  # has read the index: the pack is open before the workers are forked
    catalog._sprite.cache_clear()
    loader = DataLoader(data, batch_size=8, num_workers=WORKERS, multiprocessing_context="fork")
    found = torch.cat(list(loader)).tolist()
    assert found == [pixels(pair) for pair in data.pairs]


def test_a_process_that_begins_anew_reads_them_too():
    pairs = [("lion", "noto"), ("castle", "twemoji")]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert [sprite.sum(dtype=int) for sprite in pool.starmap(catalog.sprite, pairs)] == [pixels(pair) for pair in pairs]


@pytest.mark.parametrize(
    ("invent", "paint"),
    [(Inventor(CPU.mix), draw), (Placer(CPU.mix), draw_with_scribble), (Framer(CPU.mix, 64), photograph)],
    ids=["diffusion", "controlnet", "xl"],
)
def test_every_stages_stream_can_be_handed_to_a_worker(invent, paint):
    stream = Scenes(invent, paint, 64, (1, 2))
    (one, scene), (other, same) = next(iter(stream)), next(iter(pickle.loads(pickle.dumps(stream))))
    assert scene == same
    assert torch.equal(one, other)


def test_workers_draw_different_pictures():
    stream = batches(replace(GPU, workers=WORKERS, side=32), 6, 0)
    pictures = torch.cat([next(stream)[0] for _ in range(2 * WORKERS)])
    assert len({picture.numpy().tobytes() for picture in pictures}) == len(pictures)
