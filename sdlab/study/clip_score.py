"""CLIPScore (Hessel et al. 2021): how well pictures fit their captions, for models that draw more than the judge's world.

The judge of this course knows the pocket world only. CLIP has read 400 million pictures with captions of the web, so that it can rate any
picture, and with their habits: it sees the words' things, hardly their number or who does what to whom.
"""

from functools import cache

import torch

from sdlab.pipes.hub import explain
from sdlab.pipes.models import Model
from sdlab.study.metrics import check_pictures
from sdlab.system.calls import brief, check_call

CLIP = Model("openai/clip-vit-large-patch14", "32bd64288804d66eefd0ccbe215aa642df71cc41", "MIT", gigabytes=1.7)
WEIGHT = 2.5  # of the cosine, which is seldom above 0.4


@cache
def _load(download):
    from transformers import CLIPModel, CLIPProcessor

    where = {"revision": CLIP.commit, "local_files_only": not download}
    try:
        return CLIPModel.from_pretrained(CLIP.source, use_safetensors=True, **where).eval(), CLIPProcessor.from_pretrained(
            CLIP.source, **where
        )
    except Exception as error:
        remedy = "" if download else "; sdlab.study.clip_score.clip_score(…, download=True) fetches it"
        raise OSError(f"{explain(CLIP.source, CLIP, error)}{remedy}") from error


@torch.no_grad()
@check_call("clip_score(pictures, captions)")
def clip_score(pictures, captions, download=False):
    """2.5 times the cosine of picture and caption in CLIP's space, not below 0 and hardly above 1 (n,).

    Args:
        pictures: PIL pictures.
        captions: a text for each, or one for all.
        download: fetch CLIP, 1.7 GB, if it is not on this machine.

    Raises:
        ValueError: not as many captions as pictures.
        OSError: CLIP is not here, or cannot be fetched.
    """
    pictures = check_pictures(pictures)
    captions = [captions] * len(pictures) if isinstance(captions, str) else list(captions)
    if len(captions) != len(pictures):
        raise ValueError(f"captions is {brief(captions)} for {len(pictures)} pictures: give one for each, or one text for all")
    model, processor = _load(download)
    given = processor(text=captions, images=pictures, return_tensors="pt", padding=True, truncation=True)
    found = model(**given)
    cosine = torch.nn.functional.cosine_similarity(found.image_embeds, found.text_embeds)
    return (WEIGHT * cosine.clamp(min=0)).numpy()
