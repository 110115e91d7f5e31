"""The hosted service in place of a local model: the same Recipe → a picture that somebody else's GPU drew (huggingface_hub's client).

The token comes from the environment (`HF_TOKEN`) or from the Hub's own store (`hf auth login`), and goes to Hugging Face only: not to
another address, and not into what this module returns, raises or prints. Errors are raised anew, without the request that carried it.
Left out: services that want keys of their own.
"""

import email.utils
import time
from datetime import datetime, timezone
from urllib.parse import urlparse

from PIL import UnidentifiedImageError

from sdlab.pipes.generation import Generation, as_recipe
from sdlab.system.calls import brief, check_call

MODEL = "black-forest-labs/FLUX.1-schnell"
TRUSTED = ("huggingface.co", "hf.co", "hf.space", "huggingface.cloud")  # hosts, with all below them, that the token is for
FIRST_WAIT, TRIES = 2.0, 5  # seconds, doubled each time; a wait that the service asks for comes before it
HOSTED = "hosted by "  # how the device of such a Generation begins
ALONE = ("image", "mask", "sketch", "refiner", "handover")  # ingredients that a service which draws from text has no place for


class ServiceError(OSError):
    """The hosted service did not give a picture. The message says why, and what to do."""


@check_call("sdlab.generate_hosted('a lion on the beach', seed=3)")
def generate_hosted(recipe, *, model=MODEL, provider="auto", timeout=120, patience=120, **ingredients):
    """Let the hosted service draw the pictures of a recipe.

    Args:
        recipe: a Recipe, or a prompt. What it leaves open, the service decides.
        model: a Hub id, or the address of an Inference Endpoint.
        provider: who computes, a name that `huggingface_hub.InferenceClient` knows; "auto" takes the first of your account's.
        timeout: seconds that one request may take.
        patience: seconds that may be waited in all where the service is busy.
        ingredients: of the recipe, as for `generate`.

    Returns:
        A `Generation`, whose recipe names the model and whose device is "hosted by " and the provider, or the address.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: the recipe asks for what a text-to-image service cannot do.
        PermissionError: there is no token, or the service refused it.
        TimeoutError: it took longer than `timeout`.
        ConnectionError: the service cannot be reached.
        ServiceError: it is too busy, has no such model, refused the prompt, or sent no picture.
    """
    recipe = as_recipe(recipe, ingredients)
    for name in ALONE:
        if getattr(recipe, name) is not None:
            raise ValueError(f"the recipe has {name}, and the hosted service draws from text alone: leave it out, or draw it here")
    if not isinstance(model, str) or not model.strip():
        raise TypeError(f"model is {brief(model)}: give a Hub id such as {MODEL!r}, or the address of an endpoint")
    _check_token(model)
    start, pictures = time.perf_counter(), []
    for one in recipe.split():
        pictures.append(_ask_patiently(one, model, provider, timeout, patience))
    width, height = pictures[0].size
    drawn = recipe.but(model=_name(model), width=width, height=height) if not (width % 8 or height % 8) else recipe.but(model=_name(model))
    return Generation(
        drawn, pictures, time.perf_counter() - start, f"{HOSTED}{_name(model) if _is_address(model) else provider}", "unknown", 0, ""
    )


def _name(model):
    """A model as a recipe names it: an address without its path, which can hold secrets too."""
    return urlparse(model).hostname if _is_address(model) else model


def _is_address(model):
    return model.startswith(("http://", "https://"))


def _is_trusted(model):
    """Whether the token may go there: to the Hub's own names, and by https to hosts of Hugging Face."""
    if not _is_address(model):
        return True
    address = urlparse(model)
    return address.scheme == "https" and any(address.hostname == host or address.hostname.endswith(f".{host}") for host in TRUSTED)


def _check_token(model):
    from huggingface_hub import get_token

    if not _is_address(model) and not get_token():
        raise PermissionError(
            "the hosted service wants a token, and there is none: make one at https://huggingface.co/settings/tokens, and put it into the "
            "environment as HF_TOKEN, or run `hf auth login`"
        )


def _ask_patiently(recipe, model, provider, timeout, patience):
    """One picture; where the service is busy it is asked again, after the time that it names or twice as long as before."""
    waited, wait = 0.0, FIRST_WAIT
    for attempt in range(TRIES):
        found, error = _ask(recipe, model, provider, timeout)
        if found is not None:
            return found
        again, asked_for = error
        if not isinstance(again, _Busy):
            raise again
        pause = asked_for if asked_for is not None else wait
        if attempt + 1 == TRIES or waited + pause > patience:
            raise ServiceError(
                f"the hosted service is busy ({again}), and asks to wait {pause:.0f} s: try then, or give more than patience={patience:g}"
            )
        time.sleep(pause)
        waited, wait = waited + pause, 2 * wait
    raise AssertionError("not reached")


class _Busy(Exception):
    """The service may be asked again."""


def _ask(recipe, model, provider, timeout):
    """Ask once: `(picture, None)`, or `(None, (error, seconds to wait or None))`. The error holds no request."""
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

    # Left to itself the client sends the stored token to any address.
    headers = None if _is_trusted(model) else {"authorization": ""}
    settings = {
        "negative_prompt": recipe.negative_prompt or None, "height": recipe.height, "width": recipe.width,
        "num_inference_steps": recipe.steps, "guidance_scale": recipe.guidance, "seed": recipe.seed,
    }  # fmt: skip
    service = "hf-inference" if _is_address(model) else provider
    try:
        client = InferenceClient(provider=service, timeout=timeout, headers=headers)
        made = client.text_to_image(recipe.prompt, model=model, **settings)
        made.load()
        return made.convert("RGB"), None
    except InferenceTimeoutError:
        return None, (TimeoutError(f"the hosted service took longer than {timeout:g} s: try again, or give timeout={2 * timeout:g}"), None)
    except HfHubHTTPError as error:
        return None, _explain(error.response, model)
    except UnidentifiedImageError:
        return None, (ServiceError("the hosted service sent something that is no picture: try again, or another model"), None)
    except OSError as error:
        kind = type(error).__name__
        if "image" in str(error).lower() and not _is_of_the_network(error):
            return None, (ServiceError("the hosted service sent a damaged picture: try again"), None)
        return None, (ConnectionError(f"the hosted service cannot be reached ({kind}): connect to the network, or draw here"), None)
    except Exception as error:
        if _is_of_the_network(error):
            told = f"the hosted service cannot be reached ({type(error).__name__}): connect to the network, or draw with sdlab.generate"
            return None, (ConnectionError(told), None)
        if isinstance(error, ValueError):
            return None, (ValueError(f"{model!r} cannot be asked ({_line(error)}): choose another model or provider"), None)
        raise


def _is_of_the_network(error):
    """Whether the HTTP library, whichever the Hub's client uses, found no way to the service."""
    return any(kind.__module__.startswith(("httpx", "requests", "urllib3")) for kind in type(error).__mro__)


def _explain(response, model):
    """The error of an answer that is no picture, and the seconds that the service asks to wait."""
    status, said = response.status_code, _line(_message(response))
    if status in (429, 503):
        return _Busy(f"{status}{': ' + said if said else ''}"), _retry_after(response)
    if status in (401, 403):
        return PermissionError(
            f"the hosted service refused the token ({status}): it may have expired, or may not call models; make one with the right "
            "'Make calls to Inference Providers' at https://huggingface.co/settings/tokens"
        ), None
    if status == 402:
        return ServiceError("the hosted service wants to be paid (402), for the free calls are used up: draw with sdlab.generate"), None
    if status == 404:
        return ServiceError(f"the hosted service has no model {_name(model)!r} (404): look for one at https://huggingface.co/models"), None
    if status in (400, 422):
        return ServiceError(f"the hosted service refused the recipe ({status}{': ' + said if said else ''}): change it"), None
    return ServiceError(f"the hosted service failed ({status}{': ' + said if said else ''}): try again later, or another model"), None


def _message(response):
    """What an answer says went wrong, or nothing."""
    try:
        told = response.json()
        return told.get("error", "") if isinstance(told, dict) else ""
    except ValueError:
        return ""


def _line(text):
    return " ".join(str(text).split())[:160]


def _retry_after(response):
    """Seconds to wait, of the header Retry-After, which names seconds or a date (RFC 9110, section 10.2.3); None where it is not there."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isdigit():
        return float(told)
    try:
        when = email.utils.parsedate_to_datetime(told)
    except (TypeError, ValueError):
        return None
    return max(0.0, (when - datetime.now(timezone.utc)).total_seconds())
