"""The hosted service, played by a real HTTP server on this machine, with all its faults; and a token that must be found nowhere."""

import email.utils
import io
import json
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import pytest
from PIL import Image

import sdlab
from sdlab.pipes import hosted

TOKEN = "hf_PlantedTokenThatMustNotBeSeenAnywhere"


def png(size=(64, 64)):
    file = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(file, "PNG")
    return file.getvalue()


class Service(ThreadingHTTPServer):
    """Answers with what `answers` holds, one after the other, the last for ever: `(status, headers, body, seconds before it)`."""

    daemon_threads = True

    def __init__(self):
        self.answers, self.asked, self.headers = [(200, {}, png(), 0)], [], []
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/models/a-model"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        service = self.server
        service.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        service.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, headers, body, pause = service.answers.pop(0) if len(service.answers) > 1 else service.answers[0]
        time.sleep(pause)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    huggingface_hub.close_session()
    server = Service()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def ask(service, recipe="a lion on the beach", **more):
    return sdlab.generate_hosted(recipe, model=service.address, **{"timeout": 20, **more})


def test_a_recipe_is_drawn_and_its_file_says_by_whom(service, tmp_path):
    recipe = sdlab.Recipe("a lion on the beach", negative_prompt="blurry", seed=3, steps=7, guidance=4.0, width=64, height=64, images=2)
    run = ask(service, recipe)
    assert [one["inputs"] for one in service.asked] == ["a lion on the beach"] * 2
    assert [one["parameters"]["seed"] for one in service.asked] == [3, 4]
    assert service.asked[0]["parameters"] | {"seed": 0} == {
        "negative_prompt": "blurry", "num_inference_steps": 7, "guidance_scale": 4.0, "width": 64, "height": 64, "seed": 0,
    }  # fmt: skip
    assert run.device == "hosted by 127.0.0.1" and run.recipe.model == "127.0.0.1" and len(run.images) == 2
    [file, _] = sdlab.save(run, tmp_path)
    assert sdlab.read(file).prompt == "a lion on the beach"
    assert "hosted by 127.0.0.1" in Image.open(file).text["sdlab"]
    with pytest.raises(ValueError, match="was drawn by a hosted service, which alone can draw it again"):
        sdlab.reproduce(file)


def test_what_a_recipe_leaves_open_is_not_asked_for(service):
    ask(service)
    assert service.asked[0]["parameters"] == {"seed": 0}


def test_a_token_does_not_go_to_strangers(service, token):
    ask(service)
    assert TOKEN not in str(service.headers)


@pytest.mark.parametrize(
    ("model", "trusted"),
    [
        ("black-forest-labs/FLUX.1-schnell", True),
        ("https://abc.us-east-1.aws.endpoints.huggingface.cloud", True),
        ("http://abc.endpoints.huggingface.cloud", False),  # not without encryption
        ("https://huggingface.co.evil.example/x", False),
        ("https://evil.example/huggingface.co", False),
        ("https://evilhuggingface.co/x", False),
        ("http://127.0.0.1:8000/x", False),
    ],
)
def test_only_hosts_of_hugging_face_are_trusted(model, trusted):
    assert hosted._is_trusted(model) is trusted


FAULTS = {
    "refused": ([(401, {}, b'{"error": "bad token"}', 0)], PermissionError, "refused the token (401)"),
    "forbidden": ([(403, {}, b"", 0)], PermissionError, "may not call models"),
    "unpaid": ([(402, {}, b"", 0)], hosted.ServiceError, "wants to be paid (402)"),
    "no such model": ([(404, {}, b"Not Found", 0)], hosted.ServiceError, "has no model '127.0.0.1' (404)"),
    "refused recipe": ([(422, {}, b'{"error": "width too\\n large"}', 0)], hosted.ServiceError, "(422: width too large)"),
    "broken": ([(500, {}, b'{"error": "out of memory"}', 0)], hosted.ServiceError, "failed (500: out of memory)"),
    "no picture": ([(200, {}, b"<html>hello</html>", 0)], hosted.ServiceError, "sent something that is no picture"),
    "half a picture": ([(200, {}, png()[:400], 0)], hosted.ServiceError, "sent a damaged picture"),
    "slow": ([(200, {}, png(), 3)], TimeoutError, "took longer than 0.5 s"),
    "busy for long": ([(429, {"Retry-After": "600"}, b"", 0)], hosted.ServiceError, "asks to wait 600 s"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_sentence_and_holds_no_token(service, token, monkeypatch, capsys, caplog, tmp_path, fault):
    """The token is sent here, as it would be to the true service, and looked for in everything that can be seen of the failure."""
    monkeypatch.setattr(hosted, "_is_trusted", lambda model: True)
    service.answers, kind, said = list(FAULTS[fault][0]), *FAULTS[fault][1:]
    with caplog.at_level("DEBUG"), pytest.raises(kind) as caught:
        ask(service, timeout=0.5 if fault == "slow" else 20)
    assert TOKEN in service.headers[0]["authorization"]
    assert said in str(caught.value) and "\n" not in str(caught.value)
    told, error = [], caught.value
    while error is not None:
        told += [repr(error), repr(vars(error)), *traceback.TracebackException.from_exception(error, capture_locals=True).format()]
        error = error.__cause__ or error.__context__
    out = capsys.readouterr()
    assert TOKEN not in "".join(told) + out.out + out.err + caplog.text


def test_a_picture_and_what_is_saved_of_it_hold_no_token(service, token, monkeypatch, tmp_path):
    monkeypatch.setattr(hosted, "_is_trusted", lambda model: True)
    run = ask(service)
    [file] = sdlab.save(run, tmp_path)
    assert TOKEN in service.headers[0]["authorization"]
    assert TOKEN not in repr(run) + repr(vars(run)) and TOKEN.encode() not in file.read_bytes()


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_a_busy_service_is_asked_again_when_it_says(service, how):
    later = "1" if how == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
    service.answers = [(429, {"Retry-After": later}, b"", 0), (503, {"Retry-After": "0"}, b"", 0), (200, {}, png(), 0)]
    start = time.monotonic()
    ask(service)
    assert len(service.asked) == 3 and time.monotonic() - start >= 0.9


def test_without_a_network_the_way_out_is_named(service):
    service.shutdown()
    service.server_close()
    with pytest.raises(ConnectionError, match="the hosted service cannot be reached"):
        ask(service)


def test_without_a_token_nothing_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(PermissionError, match="wants a token, and there is none: make one at https"):
        sdlab.generate_hosted("a lion")


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda s: ask(s, sdlab.Recipe("a lion", image=Image.new("RGB", (8, 8)))), ValueError, "draws from text alone"),
        (lambda s: ask(s, 3), TypeError, "give a prompt"),
        (lambda s: sdlab.generate_hosted("a lion", model=""), TypeError, "give a Hub id"),
        (lambda s: sdlab.generate_hosted("a lion", modell="x"), TypeError, "did you mean 'model'?"),
    ],
)
def test_wrong_calls_are_refused_before_anything_is_sent(service, call, kind, said):
    with pytest.raises(kind) as caught:
        call(service)
    assert said in str(caught.value) and not service.asked
