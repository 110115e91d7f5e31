"""The samplers by the names other tools use, and how to give one to a pipeline. Importing this imports nothing heavy."""

# name → (diffusers class, arguments beside the pipeline's own scheduler configuration)
SAMPLERS = {
    "DDIM": ("DDIMScheduler", {}),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {}),
    "DPM++ 2M Karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "Euler": ("EulerDiscreteScheduler", {}),
    "Euler a": ("EulerAncestralDiscreteScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", {}),
    "LMS": ("LMSDiscreteScheduler", {}),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": True}),  # as Stable Diffusion ships it: one evaluation a step
    "UniPC": ("UniPCMultistepScheduler", {}),
    "DDPM": ("DDPMScheduler", {}),
}


def make(name, config):
    """The scheduler called `name`, with the noise schedule of `config`, a pipeline's own scheduler configuration."""
    import diffusers

    kind, extra = SAMPLERS[name]
    return getattr(diffusers, kind).from_config(config, **extra)


def name_of(scheduler):
    """The name of a scheduler in `SAMPLERS`; its class where it has none."""
    karras = bool(scheduler.config.get("use_karras_sigmas", False))
    for name, (kind, extra) in SAMPLERS.items():
        if kind == type(scheduler).__name__ and bool(extra.get("use_karras_sigmas", False)) == karras:
            return name
    return type(scheduler).__name__
