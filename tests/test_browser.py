"""One chapter in a real browser: JupyterLab runs it, a slider moves, a quiz and an exercise answer back.

It needs Chromium and the package playwright (`pip install playwright`, `apt-get install chromium`); without them it is
skipped and says so. Screenshots are kept in .cache/browser.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHOTS = ROOT / ".cache" / "browser"
CHAPTER = "01_fourier_and_kspace.ipynb"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
EVERYTHING_IS_DRAWN = {"@jupyterlab/notebook-extension": {"tracker.jupyterlab-settings": {"windowingMode": "none"}}}
pytestmark = pytest.mark.xdist_group("browser")  # one browser, in one process
WRONG = "def transform(x):\n    return torch.fft.fft2(x, norm='ortho')\n\n\ncheck.ch01_transform(transform)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebooks; yields its address."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    (folder / "docs").symlink_to(ROOT / "docs")
    settings = folder / "settings"
    for plugin, files in EVERYTHING_IS_DRAWN.items():
        (settings / plugin).mkdir(parents=True)
        for name, values in files.items():
            (settings / plugin / name).write_text(json.dumps(values), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--expose-app-in-browser", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    surroundings = os.environ | {
        "COURSE_PROFILE": "ci",
        "PYTHONPATH": str(ROOT),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    server = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=2).status == 200, 60, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def page(lab):
    """The chapter, opened and run to its end."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        tab = browser.new_page(viewport={"width": 1300, "height": 1000})
        tab.goto(f"{lab}/lab/tree/notebooks/{CHAPTER}")
        tab.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        tab.wait_for_function("window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel", timeout=120_000)
        tab.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        tab.wait_for_function(ALL_RAN, timeout=240_000)
        yield tab
        browser.close()


ALL_RAN = """() => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter(c => c.model.type === 'code');
    return cells.every(c => c.model.executionCount > 0 || !c.model.sharedModel.getSource().trim());
}"""
SET_AND_RUN = """([part, source]) => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const index = notebook.widgets.findIndex(c => c.model.sharedModel.getSource().includes(part));
    notebook.activeCellIndex = index;
    notebook.widgets[index].model.sharedModel.setSource(source);
    notebook.widgets[index].node.setAttribute('data-part', 'exercise');
    return window.jupyterapp.commands.execute('notebook:run-cell');
}"""


@pytest.mark.slow
def test_the_unsolved_chapter_runs_to_its_end_without_an_error(page):
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator(".jp-OutputArea-output img").count() >= 10
    page.screenshot(path=SHOTS / "chapter.png")


@pytest.mark.slow
def test_the_slider_changes_the_picture(page):
    box = page.locator(".widget-vbox:has(.noUi-handle)").first
    box.scroll_into_view_if_needed()
    before, words = box.locator("img").get_attribute("src"), box.locator(".widget-html-content").inner_text()
    box.locator(".noUi-handle").press("ArrowRight")
    _wait(lambda: box.locator("img").get_attribute("src") != before, 20)
    assert box.locator(".widget-html-content").inner_text() != words
    page.screenshot(path=SHOTS / "slider.png")


@pytest.mark.slow
def test_the_quiz_explains_a_wrong_answer_and_takes_the_right_one(page):
    box = page.locator(".widget-vbox:has(input[type=radio])").first
    box.scroll_into_view_if_needed()
    for option, sign in (("one bright pixel", "✗"), ("stripes over the whole image", "✓")):
        box.get_by_label(option).or_(box.get_by_text(option)).first.click()
        box.get_by_role("button", name="Check").click()
        _wait(lambda s=sign: s in box.inner_text(), 20)
    page.screenshot(path=SHOTS / "quiz.png")


@pytest.mark.slow
def test_a_wrong_exercise_is_diagnosed(page):
    page.evaluate(SET_AND_RUN, ["def transform(x)", WRONG])
    cell = page.locator("[data-part=exercise] .jp-OutputArea")
    _wait(lambda: "no shift" in cell.inner_text(), 30)
    cell.scroll_into_view_if_needed()
    page.screenshot(path=SHOTS / "exercise.png")
    assert "Traceback" not in cell.inner_text()


def _wait(happened, seconds, server=None):
    """Until `happened()` is true."""
    end = time.monotonic() + seconds
    while True:
        try:
            if happened():
                return
        except OSError:
            pass
        if server is not None and server.poll() is not None:
            pytest.fail(f"JupyterLab ended: {server.stderr.read().decode()[-2000:]}")
        if time.monotonic() > end:
            pytest.fail(f"nothing happened in {seconds} s")
        time.sleep(0.2)
