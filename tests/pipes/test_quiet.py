"""Inside `quiet` two libraries say nothing, and afterwards they are as they were."""

import pytest
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from sdlab.pipes.quiet import quiet

LOGS = (diffusers_logging, transformers_logging)


def state():
    return [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in LOGS]


@pytest.mark.parametrize("bars", [True, False])
def test_quiet_leaves_verbosity_and_bars_as_they_were(bars):
    for log in LOGS:
        (log.enable_progress_bar if bars else log.disable_progress_bar)()
    before = state()
    try:
        with pytest.raises(RuntimeError), quiet():
            assert state() == [(log.ERROR, False) for log in LOGS]
            raise RuntimeError
        assert state() == before
    finally:
        for log in LOGS:
            log.enable_progress_bar()
