"""A real JupyterLab and a real browser for the tests of this folder.

They need Chromium: one in the PATH (Debian: `apt install chromium`), or the path of one in SDLAB_CHROMIUM. With SDLAB_SCREENSHOTS=folder
the tests leave pictures of what they saw.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest

from docs.tools.publish import STYLE, make_exporter

ROOT = Path(__file__).parents[2]
PATIENCE = 120_000  # milliseconds; on two cores that are busy elsewhere everything takes long
CELLS = (
    """import sdlab
pipe = sdlab.load("pocket", device="cpu")
recipe = sdlab.Recipe("a lion on the beach, cartoon", seed=7, steps=4)
runs = [sdlab.generate(pipe, recipe.but(guidance=g), progress=False, keep_latents=True) for g in (1, 4, 9)]""",
    "panel = sdlab.panel(pipe, recipe)\npanel",
    "film = sdlab.scrub(pipe, runs[1])\nfilm",
    "sweep = sdlab.scrub(runs)\nsweep",
    "pair = sdlab.compare(runs[0], runs[2])\npair",
    "sdlab.show(runs)",
    "print('all cells ' + 'have run')",
)
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are there, also those that are out of sight
}


@pytest.fixture(scope="session")
def chromium():
    """The path of Chromium; without one the tests are skipped."""
    named = os.environ.get("SDLAB_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium here: install one (Debian: apt install chromium), or give its path in SDLAB_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def browser(chromium):
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install 'sdlab[test]'")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def open_page(browser):
    """An empty page that can fetch nothing from the internet."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(PATIENCE)
    opened.route(lambda url: not url.startswith(("http://127.0.0.1", "file:", "data:", "blob:")), lambda route: route.abort())
    return opened


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The folder and the address of a running JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"JUPYTER_CONFIG_DIR": folder / "config", "JUPYTER_DATA_DIR": folder / "data", "JUPYTER_RUNTIME_DIR": folder / "runtime"}
    own |= {"JUPYTERLAB_SETTINGS_DIR": folder / "settings", "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces", "OMP_NUM_THREADS": "1"}
    own |= {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    (folder / "notebooks").mkdir()
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    options += ["--IdentityProvider.token=", "--expose-app-in-browser", f"--notebook-dir={folder / 'notebooks'}"]
    environment = os.environ | {name: str(value) for name, value in own.items()}
    with open(folder / "log.txt", "w", encoding="utf-8") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(PATIENCE // 500):
        with suppress(OSError), urllib.request.urlopen(f"{address}/api/status") as answer:
            if answer.status == 200:
                break
        assert server.poll() is None, (folder / "log.txt").read_text(encoding="utf-8")
        time.sleep(0.5)
    yield folder / "notebooks", address
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="session")
def notebook(lab, browser):
    """A notebook with every widget, open in JupyterLab and run: the page and the file."""
    folder, address = lab
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    file = folder / "widgets.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), file)
    page = open_in_lab(browser, address, file)
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector("text=all cells have run", state="attached")
    return page, file


def open_in_lab(browser, address, file):
    """A page of JupyterLab with this notebook, and a kernel that is ready."""
    page = open_page(browser)
    page.goto(f"{address}/lab/tree/{file.name}?reset")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.ready")
    return page


def save(page):
    page.evaluate("void jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")


@pytest.fixture
def reopened(notebook, lab, browser):
    """The saved notebook in JupyterLab again, with a kernel that knows nothing of it."""
    page, file = notebook
    save(page)
    opened = open_in_lab(browser, lab[1], shutil.copy(file, file.with_name("reopened.ipynb")))
    yield opened
    opened.close()


@pytest.fixture
def exported(notebook, browser, tmp_path):
    """The saved notebook as a page, as `make course` makes it, open in the browser without a kernel."""
    page, file = notebook
    save(page)
    body, _ = make_exporter().from_filename(str(file))
    head = f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
    (tmp_path / "page.html").write_text(f"{head}<main>{body}</main>", encoding="utf-8")
    opened = open_page(browser)
    opened.goto((tmp_path / "page.html").as_uri())
    yield opened
    opened.close()


@pytest.fixture
def look(request):
    """`look(page_or_element, name)` leaves a picture in the folder SDLAB_SCREENSHOTS, if there is one."""
    folder = os.environ.get("SDLAB_SCREENSHOTS")

    def shoot(seen, name):
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            seen.screenshot(path=Path(folder) / f"{name}.png")

    return shoot
