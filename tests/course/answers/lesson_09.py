"""SDXL."""

from diffusers import AutoPipelineForImage2Image

import sdlab
from sdlab.pipes import models
from tests.course.exercises import STUB, Exercise

COUNT = "mine = sum(timestep {} for timestep in timesteps)\nreturn mine, len(timesteps) - mine"
TOGETHER = """
words = {"prompt": prompt, "num_inference_steps": steps, "guidance_scale": guidance}
noise = torch.Generator("cpu").manual_seed(seed)
begun = base(generator=noise, denoising_end=0.8, output_type="latent", **words).images
"""


def base_alone(pair):
    base, _ = pair
    return {"base": base}


def the_lion(pair):
    base, _ = pair
    known = {"base": base, "itself": AutoPipelineForImage2Image.from_pipe(base), "guidance": models.recommend(base)[1]}
    return known | {"lion": sdlab.Recipe("A majestic lion jumping from a big stone at night", steps=40, seed=9)}


EXERCISES = [
    Exercise(
        "09",
        "Whose step?",
        given=base_alone,
        right=(COUNT.format(">= (1 - handover) * every"),),
        wrong={
            STUB: "only one is the base's",
            COUNT.format("< (1 - handover) * every"): "should give (4, 1), and give (1, 4)",
            COUNT.format("< handover * every"): "only one is the base's",
            COUNT.format(">= handover * every"): "should give (4, 1), and give (1, 4)",
            COUNT.format(">= 200"): "the border depends on the hand-over",
            COUNT.format("> round((1 - handover) * every)"): "200 itself belongs to the base",
            COUNT.format("> (1 - handover) * every"): "50 itself belongs to the base",
            COUNT.format(">= (1 - handover) * 1000"): "of 100 timesteps the border of 0.5 is 50",
            COUNT.format(">= (1 - handover) * every").replace("mine, len(timesteps) - mine", "mine"): "and give 4",
            COUNT.format(">= (1 - handover) * max(timesteps)"): "compare each with the border",
        },
    ),
    Exercise(
        "09",
        "The grainy lion",
        given=the_lion,
        uses=("levels_apart",),
        wrong={
            STUB: "is noise added to latents that are noisy already",
            TOGETHER + "return expert(image=begun, generator=noise, strength=0.8, **words).images[0]": "it should be the base's picture",
            TOGETHER + "return expert(image=begun, generator=noise, denoising_start=0.2, **words).images[0]": "it should be the base's",
            TOGETHER + "return expert(image=begun, generator=noise, **words).images[0]": "it should be the base's picture",
            TOGETHER + "return expert(image=begun, generator=noise, denoising_start=0.8, **words).images": "should return a picture",
        },
        slow=True,
    ),
]
