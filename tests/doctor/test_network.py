"""What the doctor says of the network: against real servers, in a Python of its own, for the Hub's client reads its settings once."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

SECRET = "hf_" + "abcdefghijklmnop"


def ask(**settings):
    """The findings, and the seconds they took; all that was printed holds no secret."""
    code = (
        "import json, time; start = time.perf_counter(); from sdlab.doctor.network import examine_network; import huggingface_hub\n"
        "start = time.perf_counter(); found = examine_network()\n"
        "print(json.dumps([[one.level, str(one)] for one in found] + [time.perf_counter() - start]), flush=True)\n"
        "import os; os._exit(0)"
    )
    plain = {name: value for name, value in os.environ.items() if not name.lower().startswith(("hf_", "http_proxy", "https_proxy"))}
    run = subprocess.run([sys.executable, "-c", code], env=plain | settings, capture_output=True, text=True, timeout=60, check=True)
    assert SECRET not in run.stdout + run.stderr
    *found, seconds = json.loads(run.stdout.splitlines()[-1])
    return found, seconds


class Answering(BaseHTTPRequestHandler):
    """Says that it knows nothing, which is an answer."""

    def do_HEAD(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


@contextmanager
def serving(serve):
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield


def test_a_hub_that_answers_is_fine_and_no_secret_is_told():
    with HTTPServer(("127.0.0.1", 0), Answering) as server, serving(server.serve_forever):
        found, _ = ask(HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}", HF_TOKEN=SECRET)
        server.shutdown()
    assert found[0] == ["fine", "✓ token: one for the Hub is set"]
    assert found[1] == ["fine", "✓ network: the Hub answers (HF_ENDPOINT names another place)"]


def test_a_refused_connection_is_told_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    found, seconds = ask(HF_ENDPOINT=f"http://127.0.0.1:{closed}")
    assert found[1][0] == "look" and "ConnectError" in found[1][1] and "need no network" in found[1][1]
    assert seconds < 4


def test_one_that_never_answers_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found, seconds = ask(HF_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert found[1][0] == "look"
    assert seconds < 6


def test_a_proxy_is_told_without_its_password():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"http://me:{SECRET}@127.0.0.1:{free.getsockname()[1]}"
    found, _ = ask(HF_ENDPOINT="http://hub.example", HTTP_PROXY=proxy, http_proxy=proxy)
    assert "through a proxy" in found[1][1] and found[1][0] == "look"


@pytest.mark.parametrize("word", ["1", "true"])
def test_offline_by_choice_is_fine_and_asks_nobody(word):
    found, _ = ask(HF_HUB_OFFLINE=word, HF_ENDPOINT="http://127.0.0.1:9")
    assert found[1][0] == "fine" and "HF_HUB_OFFLINE" in found[1][1]
