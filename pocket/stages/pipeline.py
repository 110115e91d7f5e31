"""Put the trained parts together as a stock `StableDiffusionPipeline`."""

from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline


def scheduler():
    """The noise schedule of training and sampling: SD's `scaled_linear` betas, with v-prediction (Salimans & Ho 2022)."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=False,
    )


def choose_autoencoder(folder, vae):
    """The autoencoder that pictures are shown with: the one of factor 8 in `folder`, if it was made there, else the given one."""
    sharpened = folder / "sharpen" / "model"
    return AutoencoderKL.from_pretrained(sharpened) if sharpened.exists() else vae


def assemble(vae, text, tokenizer, unet):
    """A pipeline of the given parts, without a safety checker: the world holds nothing that needs one."""
    return StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
