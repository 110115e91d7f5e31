"""No warnings of what the course does not use."""

from contextlib import contextmanager


@contextmanager
def quiet():
    """Keep two libraries from warning of what the course does not use (torchvision, the safety checker); errors are still raised."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    logs = (diffusers_logging, transformers_logging)
    before = [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, (verbosity, shows_bars) in zip(logs, before, strict=True):
            log.set_verbosity(verbosity)
            (log.enable_progress_bar if shows_bars else log.disable_progress_bar)()
