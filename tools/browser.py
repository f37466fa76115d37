"""Drive a notebook in JupyterLab in Chromium, as a learner would, and take pictures of it.

    python -m tools.browser shot NOTEBOOK.ipynb OUTDIR     run all cells and save pictures

The server works on a copy in a folder of its own, with settings of its own: the project stays as it is.
"""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import NamedTuple

from moeviz.environment import run_command
from tools.classroom import free_ports
from tools.notebooks import ONE_THREAD

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
OTHER_PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
                "C:/Program Files/Google/Chrome/Application/chrome.exe")
# An address bar that nobody sees prepares its lists for every window, in processes of their own. Of several
# such options Chromium counts the last: the first names are those of Playwright's that can matter here.
WITHOUT = ("HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "MediaRouter", "PaintHolding",
           "OptimizationHints", "NetworkTimeServiceQuerying", "PreconnectToSearch",
           "DestroyProfileOnBrowserClose", "AvoidUnnecessaryBeforeUnloadCheckSync",
           "WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
             "--disable-features=" + ",".join(WITHOUT)]
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # every cell stays in the page
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
KERNEL_IS_IDLE = """() => "idle" ===
    window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"""
OPEN_INSTEAD = """async name => {
    const {shell, commands} = window.jupyterapp;
    for (const open of [...shell.widgets("main")]) {
        await open.sessionContext?.shutdown();
        open.dispose();  // without a question about what is not saved
    }
    await commands.execute("docmanager:open", {path: name});
}"""
OTHER_FIGURE = """([area, before]) => {
    const seen = [...area.querySelectorAll("img")].find(image => image.checkVisibility());
    const now = seen?.getAttribute("src");
    return now !== before && now;
}"""
VIEW = {"width": 1200, "height": 900}


class Lab(NamedTuple):
    """A running JupyterLab: where it is and the folder that it serves."""

    url: str
    token: str
    folder: pathlib.Path


def find_chromium():
    """Return the path of an installed Chromium or Chrome, or None."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or next((place for place in OTHER_PLACES if pathlib.Path(place).is_file()), None)


def needed():
    """Skip the test where no browser is installed; fail it where CI runs, which installs one."""
    import pytest

    if find_chromium() is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no Chromium: .ci/run installs it")
        pytest.skip("no Chromium or Chrome on this machine")


@contextlib.contextmanager
def serve(notebooks, home):
    """Run JupyterLab on copies of the notebooks in `home`, yield the Lab, and end it."""
    lab = Lab(f"http://127.0.0.1:{free_ports(1)[0]}", secrets.token_hex(16), home / "work")
    lab.folder.mkdir(parents=True)
    for path in notebooks:
        shutil.copy(path, lab.folder)
    with open(home / "server.log", "w") as log:
        process = subprocess.Popen(_command(lab), env=_environment(lab, home), cwd=lab.folder,
                                   stdout=log, stderr=log)
        try:
            _wait_until_up(lab, process, home / "server.log")
            yield lab
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _command(lab):
    root = ["--ServerApp.allow_root=True"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={lab.url.rpartition(':')[2]}", "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={lab.folder}", "--LabApp.expose_app_in_browser=True",
            "--ServerApp.answer_yes=True", "--LabApp.news_url=None", *root]


def _environment(lab, home):
    """Return an environment in which nobody's own settings count; the token is not for the command line."""
    for plugin, values in SETTINGS.items():
        file = home / "settings" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
              "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
              "IPYTHONDIR": "ipython"}
    own = {name: str(home / place) for name, place in places.items()}
    return {**os.environ, **ONE_THREAD, **own, "JUPYTER_TOKEN": lab.token}


def _wait_until_up(lab, process, log, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{lab.url}/api", timeout=5):
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def browse(**options):
    """Open a page in Chromium and close it; options of its context, such as a viewport."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            yield browser.new_page(**{"viewport": VIEW, **options})
        finally:
            browser.close()


def open_notebook(page, lab, name):
    """Open a notebook with room for it, in place of another one, and wait for its kernel."""
    page.set_default_timeout(90_000)
    if page.url.startswith(f"{lab.url}/lab"):  # JupyterLab itself would take two seconds to load again
        page.evaluate(OPEN_INSTEAD, name)
    else:
        page.goto(f"{lab.url}/lab/tree/{name}?reset&token={lab.token}")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.wait_for_function(KERNEL_IS_IDLE)
    if page.locator("#jp-left-stack").is_visible():
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")


def run_all(page):
    """Run all cells and return when the last one has ended and what it shows has arrived."""
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(KERNEL_IS_IDLE)
    page.wait_for_timeout(500)


def run_marks(page):
    """Return what stands in front of each code cell: [1]: for the first that ran, [ ]: where none did."""
    return page.locator(".jp-Notebook .jp-InputPrompt").all_inner_texts()


def errors(page):
    """Return the text of every error and of everything on standard error."""
    shown = page.locator("[data-mime-type='application/vnd.jupyter.error'], "
                         "[data-mime-type='application/vnd.jupyter.stderr']")
    return shown.all_inner_texts()


def output_of(page, source):
    """Return the output area of the first code cell whose source holds the text."""
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea", has_text=source)).first
    return cell.locator(".jp-Cell-outputArea")


def picture(area):
    """Return the address, with the pixels in it, of the first figure that an output area shows."""
    figure = area.locator("img:visible").first
    figure.wait_for()
    return figure.get_attribute("src")


def wait_for_change(page, area, before, seconds=20):
    """Return the figure once it differs from `before`; TimeoutError where it stays."""
    from playwright.sync_api import TimeoutError as NeverTrue

    try:
        return page.wait_for_function(OTHER_FIGURE, arg=[area.element_handle(), before], polling=50,
                                      timeout=1000 * seconds).json_value()
    except NeverTrue:
        raise TimeoutError("the figure stayed as it was") from None


def shoot(page, folder, stem):
    """Save the notebook as pictures of one screen each and return their paths."""
    scroller = page.locator(".jp-WindowedPanel-outer").first
    height, screen = scroller.evaluate("element => [element.scrollHeight, element.clientHeight]")
    paths = []
    for number, top in enumerate(range(0, height, screen - 40)):
        scroller.evaluate("(element, top) => element.scrollTo(0, top)", top)
        page.wait_for_timeout(150)
        paths.append(folder / f"{stem}-{number:02d}.png")
        scroller.screenshot(path=paths[-1])
    return paths


def main(arguments):
    """Take pictures of the notebook that the command line names."""
    if len(arguments) != 3 or arguments[0] != "shot":
        print(__doc__)
        return 2
    notebook, folder = pathlib.Path(arguments[1]).resolve(), pathlib.Path(arguments[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, \
            serve([notebook], pathlib.Path(home)) as lab, browse() as page:
        open_notebook(page, lab, notebook.name)
        run_all(page)
        for path in shoot(page, folder, notebook.stem):
            print(path)
        print("\n".join(errors(page)) or "no errors")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
