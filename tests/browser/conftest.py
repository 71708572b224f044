"""A real JupyterLab on loopback, and Debian's chromium to look at it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.live.fast import until

START_S = 90
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


class Server:
    """A server with a folder of its own; `url` opens a notebook, and none of those before it."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.log = scratch / "server.log"
        self.token = secrets.token_hex(16)
        self.port = 0
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        own = {name: str(scratch / folder) for name, folder in folders.items()}
        environment = {**os.environ, **own, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        environment.pop("TRADENB_HOME", None)
        command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0",
            "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={root}",
            f"--IdentityProvider.token={self.token}", "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]  # fmt: skip
        self.runtime = scratch / "runtime"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=scratch
            )

    def wait(self) -> None:
        """Wait until it answers."""
        until(self._answers, f"the server ({self.log})", START_S)

    def url(self, page: str, notebook: str) -> str:
        return f"http://127.0.0.1:{self.port}/{page}/{notebook}?token={self.token}&reset"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2_000:]
        if not self.port:
            found = list(self.runtime.glob("jpserver-*.json"))
            text = found[0].read_text() if found else ""
            self.port = int(text.partition('"port": ')[2].partition(",")[0] or 0)
        try:
            address = f"http://127.0.0.1:{self.port}/api?token={self.token}"
            with urllib.request.urlopen(address, timeout=5):
                return bool(self.port)
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    root, scratch = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("server")
    for path in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(path, root)
    started = Server(root, scratch)
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def chromium():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is needed; apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A page that remembers what went wrong in our own script."""
    # So tall that no cell is out of sight: Jupyter hides those that are.
    context = chromium.new_context(viewport={"width": 1300, "height": 4_000})
    opened = context.new_page()
    opened.set_default_timeout(90_000)
    opened.wrong = []
    opened.on("pageerror", lambda error: opened.wrong.extend(_ours(error)))
    yield opened
    context.close()


def _ours(error):
    """The pages have errors of their own; a widget's script is the only one from a blob."""
    stack = error.stack or ""
    return [stack] if "blob:" in stack else []
