"""What a recipe asks a pipeline for, and diffusers' own pipeline for it, made of the parts that are loaded.

From text alone, from an image, into a mask, or along a sketch. No weight is copied, and none changes its dtype.
"""

from sdlab.pipes import models
from sdlab.pipes.quiet import quiet


def check_task(pipe, recipe, refiner=None):
    """Refuse what these pipelines cannot do with a completed recipe.

    Raises:
        TypeError: a sketch without a ControlNet, a ControlNet without a sketch, a refiner without its base or an image.
        ValueError: an image for a pair, or one of which so little is drawn anew that no step is left.
        FileNotFoundError: of a picture only the digest is known.
    """
    has_control, alone = hasattr(pipe, "controlnet"), getattr(pipe, "text_encoder", None) is None
    if has_control and recipe.sketch is None:
        raise TypeError("this pipeline follows a sketch, and the recipe has none: give sketch=, white lines on black")
    if recipe.sketch is not None and not has_control:
        raise TypeError(
            f"the recipe has a sketch, and {models.name_of(pipe)!r} follows none: load a ControlNet, such as sdlab.load('pocket-scribble')"
        )
    if alone and recipe.image is None:
        raise TypeError("this pipeline is a refiner: give its base too, as in (base, refiner), or a picture to refine, image=")
    if refiner is not None and recipe.image is not None:
        raise ValueError("a pair draws from text alone, and the recipe has an image: give the base or the refiner alone")
    if recipe.image is not None and int(recipe.steps * recipe.strength) < 1:
        least = f"{1 / recipe.steps:.2g}"
        raise ValueError(
            f"strength {recipe.strength:g} of {recipe.steps} steps leaves no step to take: give a strength of at least {least}"
        )
    for picture in (recipe.image, recipe.mask, recipe.sketch):
        if picture is not None:
            picture.picture  # noqa: B018  the error says what is missing


def pipeline_for(pipe, recipe):
    """The pipeline that draws a recipe: this one, or diffusers' own for an image or a mask, on the same parts."""
    if recipe.image is None or (recipe.mask is None and "Img2Img" in type(pipe).__name__):
        return pipe
    with quiet():  # it takes seconds, for it imports every family that diffusers knows
        from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting
    made = (AutoPipelineForInpainting if recipe.mask is not None else AutoPipelineForImage2Image).from_pipe(pipe)
    if hasattr(pipe, "watermark"):
        made.watermark = pipe.watermark  # from_pipe asks again whether the package for it is installed
    return made


def picture_arguments(recipe):
    """What the pipeline of a completed recipe is called with beside words, steps and noise."""
    from sdlab.pipes.pictures import prepare_mask, prepare_picture

    size = {"width": recipe.width, "height": recipe.height}
    fitted = (recipe.width, recipe.height, recipe.fit)
    if recipe.sketch is not None:
        return size | {
            "image": prepare_picture(recipe.sketch.picture, *fitted, background="black"),
            "controlnet_conditioning_scale": recipe.sketch_scale, "control_guidance_start": recipe.sketch_start,
            "control_guidance_end": recipe.sketch_end,
        }  # fmt: skip
    if recipe.image is None:
        return size
    begun = {"image": prepare_picture(recipe.image.picture, *fitted), "strength": recipe.strength}
    if recipe.mask is None:
        return begun
    return size | begun | {"mask_image": prepare_mask(recipe.mask.picture, *fitted)}
