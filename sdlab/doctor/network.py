"""The network, as far as the course wants it: the Hub, for the large models."""

import os
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong

from sdlab.doctor.finding import LOOK, Finding

PATIENCE = 4  # seconds


def examine_network(patience=PATIENCE):
    """Whether the Hub answers, and what stands in between: a list of `Finding`. No value of a token or a proxy is told."""
    from huggingface_hub import constants, get_token

    token = Finding("token", "one for the Hub is set" if get_token() else "none for the Hub, and the course needs none")
    if constants.is_offline_mode():
        return [token, Finding("network", "HF_HUB_OFFLINE is set: only models that are here can be loaded")]
    way = " through a proxy" if urllib.request.getproxies().keys() & {"http", "https", "all"} else ""
    mirror = " (HF_ENDPOINT names another place)" if os.environ.get("HF_ENDPOINT") else ""
    trouble = _ask(constants.ENDPOINT, patience)
    if trouble is None:
        return [token, Finding("network", f"the Hub answers{way}{mirror}")]
    remedy = "the pocket models need no network; for others connect, or set HF_HUB_OFFLINE=1 to wait for nothing"
    return [token, Finding("network", f"the Hub is out of reach{way}{mirror}: {trouble}", LOOK, remedy)]


def _ask(address, patience):
    """None if the address answers, whatever it says; otherwise why not. Never waits longer than `patience` seconds."""
    from huggingface_hub import get_session

    pool = ThreadPoolExecutor(1)  # looking up a name has no time limit of its own
    try:
        pool.submit(get_session().head, address, timeout=patience).result(patience + 0.5)
    except TookTooLong:
        return f"no answer in {patience} seconds"
    except Exception as error:  # of whichever library the client is built on
        return type(error).__name__
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return None
