"""The samplers by the names other tools use, and how to give one to a pipeline. Importing this imports nothing heavy."""

# name → (diffusers class, arguments beside the pipeline's own scheduler configuration). Karras' spacing is switched off by name: a
# pipeline's own configuration may have it on, and "Euler" must mean the same on every model.
EVEN, KARRAS = {"use_karras_sigmas": False}, {"use_karras_sigmas": True}
SAMPLERS = {
    "DDIM": ("DDIMScheduler", {}),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", EVEN),
    "DPM++ 2M Karras": ("DPMSolverMultistepScheduler", KARRAS),
    "Euler": ("EulerDiscreteScheduler", EVEN),
    "Euler a": ("EulerAncestralDiscreteScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", EVEN),
    "LMS": ("LMSDiscreteScheduler", EVEN),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": True}),  # as Stable Diffusion ships it: one evaluation per step
    "UniPC": ("UniPCMultistepScheduler", EVEN),
    "DDPM": ("DDPMScheduler", {}),
}


def is_known(name):
    """Whether a Recipe may name this sampler: one of the table, or a diffusers class by its name, such as "DEISMultistepScheduler"."""
    return name in SAMPLERS or (name.isidentifier() and name.endswith("Scheduler"))


def make(name, config):
    """The scheduler called `name`, with the noise schedule of `config`, a pipeline's own scheduler configuration.

    Raises:
        ValueError: diffusers has no such class.
    """
    import diffusers

    kind, extra = SAMPLERS.get(name, (name, {}))
    if not hasattr(diffusers, kind):
        raise ValueError(f"sampler is {name!r}, and diffusers has no such class: choose one of {', '.join(SAMPLERS)}")
    return getattr(diffusers, kind).from_config(config, **extra)


def name_of(scheduler):
    """The name of a scheduler in `SAMPLERS`; its class where it has none."""
    karras = bool(scheduler.config.get("use_karras_sigmas", False))
    for name, (kind, extra) in SAMPLERS.items():
        if kind == type(scheduler).__name__ and bool(extra.get("use_karras_sigmas", False)) == karras:
            return name
    return type(scheduler).__name__
