"""A stand-in for the hosted service, on this machine: it speaks the same protocol, and a model that is loaded here draws.

It answers one address, of this machine only, and keeps what it was asked; and it can play faults, so that they can be met without waiting
for a bad day.
"""

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sdlab.pipes.generation import generate
from sdlab.pipes.recipe import Recipe
from sdlab.system.calls import check_call

NAMES = {"num_inference_steps": "steps", "guidance_scale": "guidance"}  # of the protocol's parameters that a Recipe calls otherwise


@check_call("StandIn(pipe)")
class StandIn:
    """A service to be used in a `with` block, which ends it.

        with StandIn(pipe) as service:
            run = sdlab.generate_hosted("a lion", model=service.address)

    Args:
        pipe: what draws.
        faults: what the next requests are answered with, in turn, before pictures come: `(status, headers, text)`.

    Attributes:
        address: where it listens.
        requests: what it was asked: a list of `(headers, body)`, dictionaries both.
    """

    def __init__(self, pipe, faults=()):
        self.pipe, self.faults, self.requests = pipe, list(faults), []

    def start(self):
        """Begin to listen; returns itself. In a `with` block this is done by itself."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}/models/stand-in"
        threading.Thread(target=self._server.serve_forever, name="stand-in", daemon=True).start()
        return self

    def stop(self):
        """End."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def answer(self, body):
        """The status, the headers and the content that a request's body is answered with."""
        if self.faults:
            status, headers, text = self.faults.pop(0)
            return status, {"Content-Type": "application/json", **headers}, text.encode()
        asked = {NAMES.get(name, name): value for name, value in body.get("parameters", {}).items()}
        try:
            image = generate(self.pipe, Recipe(body["inputs"], **asked), progress=False).image
        except (TypeError, ValueError) as error:
            return 422, {"Content-Type": "application/json"}, json.dumps({"error": str(error)}).encode()
        file = io.BytesIO()
        image.save(file, "PNG")
        return 200, {"Content-Type": "image/png"}, file.getvalue()


def _handler_of(service):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            """Answer one request."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.requests.append((dict(self.headers.items()), body))
            status, headers, content = service.answer(body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Print nothing: a notebook is no log."""

    return Handler
