"""Every knob of the recipe, for two kinds of machine. The same code reads either; only sizes and times differ."""

from dataclasses import dataclass

from pocket.world.scene import Mix

# About a hundred concepts that look unlike one another, for training on two CPU cores.
NARROW = """
lion tiger horse unicorn dog cat fox rabbit bear panda koala monkey elephant giraffe zebra cow pig penguin owl duck frog turtle snake
dinosaur whale dolphin octopus fish butterfly bee ladybug spider
wizard astronaut ninja scientist chef santa robot ghost alien
rose sunflower cactus palm_tree pine_tree mushroom apple banana strawberry watermelon pineapple carrot pizza hamburger doughnut
ice_cream birthday_cake coffee avocado
house castle tent rocket car bus bicycle motorcycle helicopter sailboat train ufo
crown top_hat sun_hat glasses backpack umbrella guitar drum soccer_ball teddy_bear balloon gift books camera candle light_bulb key
hammer magic_wand trophy star rock snowman cube sphere
"""


@dataclass(frozen=True)
class Config:
    """One training recipe. Widths are channels; batches are samples per process; `minutes` are defaults of the stages."""

    name: str
    side: int  # pixels of the pictures that are learned from
    mix: Mix
    vae: dict  # arguments of AutoencoderKL
    text: dict  # arguments of CLIPTextConfig
    second_text: dict  # the same, of the XL's second text encoder
    unet: dict  # arguments of UNet2DConditionModel
    vae_batch: int
    vae_lr: float
    batch: int
    lr: float
    judge_width: int
    judge_batch: int
    reuse: int  # how often a rendered and encoded picture is trained on, on average
    pool: int  # how many encoded pictures are kept for that
    vocabulary: int
    portuguese: float  # share of captions in Portuguese
    vae_minutes: float = 22
    judge_minutes: float = 10
    strict_minutes: float = 65
    diffusion_minutes: float = 75
    control_minutes: float = 30
    xl_minutes: float = 150
    refiner_minutes: float = 45
    enlarge_minutes: float = 20
    sharpen_minutes: float = 75
    enlarge_batch: int = 12
    enlarge_lr: float = 1e-3
    sharpen_lr: float = 1e-3
    workers: int = 0

    @property
    def shown(self):
        """The side in pixels of the pictures that the models draw in the end: eight times that of their latents, as with the real ones."""
        return 8 * self.unet["sample_size"]

    @property
    def wider(self):
        """How many times wider a picture is shown than it is learned from: 1, or what `pocket.stages.enlarge` adds."""
        return self.shown // self.side


def _vae(widths, sample):
    return {
        "block_out_channels": widths,
        "down_block_types": ("DownEncoderBlock2D",) * len(widths),
        "up_block_types": ("UpDecoderBlock2D",) * len(widths),
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 8,
        "sample_size": sample,
        "mid_block_add_attention": False,
    }


def _unet(widths, context, heads, layers=1):
    return {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": widths,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),  # none at 16×16: half the cost,
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),  # and a lower loss for the same minutes
        "layers_per_block": layers,
        "cross_attention_dim": context,
        "attention_head_dim": heads,  # in this class: the number of heads
        "norm_num_groups": 16,
    }


def _text(width, layers, heads):
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": width,
        "max_position_embeddings": 77,
    }


CPU = Config(  # two cores: 64 px, a hundred concepts, an autoencoder that shrinks 4×
    name="cpu",
    side=64,
    mix=Mix(
        concepts=tuple(w.replace("_", " ") for w in NARROW.split()),
        two_things=0.45, colour=0.2, sized=0.03, placed=0.03, nothing=0.03, flaw=0.05,
    ),
    vae=_vae((32, 64, 128), 64),
    text=_text(128, 3, 4),
    second_text=_text(192, 4, 4),
    unet=_unet((64, 128, 192), 128, 4),
    vae_batch=16, vae_lr=1e-3, batch=32, lr=1.5e-3, judge_width=32, judge_batch=64, reuse=3, pool=24_000,
    vocabulary=4096, portuguese=0.3,
)  # fmt: skip
GPU = Config(  # one datacentre GPU: 128 px, the whole world, an autoencoder that shrinks 8×
    name="gpu",
    side=128,
    mix=Mix(),
    vae=_vae((32, 64, 128, 128), 128),
    text=_text(256, 4, 4),
    second_text=_text(320, 5, 5),
    unet=_unet((96, 192, 320), 256, 4, layers=2),
    vae_batch=64, vae_lr=5e-4, batch=512, lr=8e-4, judge_width=64, judge_batch=256, reuse=2, pool=200_000,
    vocabulary=4096, portuguese=0.3, vae_minutes=25, judge_minutes=5, diffusion_minutes=25,
    control_minutes=15, xl_minutes=25, refiner_minutes=20, workers=14,
)  # fmt: skip
CONFIGS = {c.name: c for c in (CPU, GPU)}
