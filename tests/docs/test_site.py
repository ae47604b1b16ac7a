"""The site, built and opened page by page: ``python -m pytest -m docs tests/docs`` (minutes).

Needs the extra ``docs``; what opens pages needs Chromium, too (Debian's ``chromium`` and ``chromium-driver``).
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import pytest
from places import ROOT

DOCS = ROOT / "docs"
SITE = DOCS / "_build" / "html"
WIDTHS = (390, 1280)
SCRIPT = (Path(__file__).parent / "overflow.js").read_text(encoding="utf-8")
MINUTES = 60
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

pytestmark = [pytest.mark.docs, pytest.mark.skipif(not DOCS.is_dir(), reason="needs the repository")]


@pytest.fixture(scope="module")
def site():
    """Folder of the built site: warnings are errors."""
    for needed in ("sphinx", "myst_nb", "numpydoc", "pydata_sphinx_theme", "sphinx_gallery"):
        pytest.importorskip(needed, reason="needs the extra docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(SITE)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    env.pop("MPLBACKEND", None)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60 * MINUTES, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    return SITE


def _pages(site):
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts and "_downloads" not in path.parts)


def _parsed(path):
    from bs4 import BeautifulSoup

    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_links_and_images_lead_somewhere(site):
    pytest.importorskip("bs4", reason="needs the extra docs")
    pages = {path: _parsed(path) for path in _pages(site)}
    anchors = {path: {tag.get("id") or tag.get("name") for tag in page.find_all(True)} for path, page in pages.items()}
    broken = []
    for path, page in pages.items():
        for tag in page.find_all(True):
            several = [part.split()[0] for part in (tag.get("srcset") or "").split(",") if part.strip()]
            for target in (tag.get("href"), tag.get("src"), *several):
                if target:
                    broken += _complaints(path, tag, target, anchors)
    assert not broken, "\n".join(sorted(set(broken)))


def _complaints(path, tag, target, anchors):
    parts = urllib.parse.urlsplit(target)
    where = f"{path.relative_to(SITE)}: <{tag.name}> {target}"
    if parts.scheme in ("data", "mailto", "javascript"):
        return []
    if parts.scheme or parts.netloc:
        return [] if tag.name == "a" else [f"{where}: is fetched from elsewhere"]
    place = path if not parts.path else (path.parent / urllib.parse.unquote(parts.path)).resolve()
    place = place / "index.html" if place.is_dir() else place
    if not place.exists():
        return [f"{where}: no such file"]
    fragment = urllib.parse.unquote(parts.fragment)
    if fragment and place in anchors and fragment not in anchors[place] and not place.name.startswith("search"):
        return [f"{where}: no such place on the page"]
    return []


def test_no_page_has_a_path_of_this_machine(site):
    paths = re.compile("|".join(map(re.escape, (f"{ROOT}/", f"{Path.home()}/", "/ipykernel_"))))
    assert not [str(path.relative_to(site)) for path in _pages(site) if paths.search(path.read_text(encoding="utf-8"))]


def test_every_page_has_a_title(site):
    pytest.importorskip("bs4", reason="needs the extra docs")
    lacking = [str(path.relative_to(site)) for path in _pages(site) if not (_parsed(path).title or "").string.strip()]
    assert not lacking


def test_errors_and_warnings_lead_to_a_place(site):
    pytest.importorskip("bs4", reason="needs the extra docs")
    from neuralstat import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and getattr(kind, "anchor", "")]
    for kind in kinds:
        page, _, anchor = errors.explain(kind).rpartition("More: ")[2].removeprefix(errors.SITE).partition("#")
        assert _parsed(site / page).find(id=anchor) is not None, kind
    assert len(kinds) > 10


@contextlib.contextmanager
def _server(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def served(site):
    """Address of the site."""
    with _server(site) as address:
        yield address


@pytest.fixture(scope="module")
def served_faults(tmp_path_factory):
    """Address of pages with a fault each, and of one with none."""
    folder = tmp_path_factory.mktemp("faults")
    head = "<title>t</title><link rel='icon' href='data:,'><meta name='viewport' content='width=device-width'>"
    scrolls = LONG.replace("STYLE", "overflow-x: auto")
    for name, body in {**{name: body for name, (body, _) in FAULTS.items()}, "sound": scrolls}.items():
        text = f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    with _server(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """Chromium that finds no other machine, and tells what it logs and asks for."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs Chromium and its driver (Debian: chromium, chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the extra docs")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--disable-background-networking", "--disable-component-update", "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def _requests(browser):
    """Addresses asked for since the last call."""
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


def _resize(browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _seen(browser, served, name):
    """What is wrong with a page in the browser."""
    browser.get(f"{served}/{name}")
    found = browser.execute_async_script(SCRIPT)
    found += [f"asks for {url}" for url in _requests(browser) if not url.startswith((served, "data:", "blob:", "chrome"))]
    logged = browser.get_log("browser")
    return found + [f"console: {entry['message']}" for entry in logged if entry["level"] in ("SEVERE", "WARNING")]


LONG = "<div style='width: 90px; white-space: nowrap; STYLE'>much more than there is room for</div>"
FAULTS = {
    "wide": ("<div style='width: 2000px; height: 9px'></div>", "page is"),
    "cut": (LONG.replace("STYLE", "overflow: hidden"), "is cut"),
    "low": ("<div style='height: 9px; overflow: hidden'>a<br>b<br>c</div>", "is cut"),
    "outside": ("<p style='position: absolute; left: -90px'>outside of the window</p>", "runs out of the window"),
    "picture": ("<img src='none.png'>", "picture is missing"),
    "elsewhere": ("<img src='http://elsewhere.invalid/a.png'>", "asks for http://elsewhere.invalid/a.png"),
    "error": ("<script>undefined.nothing</script>", "console: "),
    "script": ("<script src='none.js'></script>", "console: "),
}


@pytest.mark.filterwarnings("default")  # those of selenium
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_seen(served_faults, browser, fault):
    _resize(browser, 390)
    assert any(FAULTS[fault][1] in complaint for complaint in _seen(browser, served_faults, f"{fault}.html"))


@pytest.mark.filterwarnings("default")
def test_a_sound_page_has_no_faults(served_faults, browser):
    _resize(browser, 390)
    assert _seen(browser, served_faults, "sound.html") == []


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_in_a_browser(site, served, browser, width):
    _resize(browser, width)
    complaints = []
    for path in _pages(site):
        name = path.relative_to(site).as_posix()
        complaints += [f"{name} at {width}: {complaint}" for complaint in _seen(browser, served, name)]
    assert not complaints, f"{len(complaints)}:\n" + "\n".join(complaints[:200])


@pytest.mark.filterwarnings("default")
def test_search_finds(served, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{served}/search.html?q=degrees+of+freedom")
    page = "generated/neuralstat.NeuralNetResults.df."
    WebDriverWait(browser, 30).until(lambda b: b.find_elements(By.CSS_SELECTOR, f"#search-results li a[href*='{page}']"))


@pytest.mark.filterwarnings("default")
def test_mathematics_is_set(served, browser):
    browser.get(f"{served}/vignettes/doppler.html")
    browser.execute_async_script(SCRIPT)
    set_, left = browser.execute_script(
        "return [document.querySelectorAll('mjx-container svg').length, "
        "[...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container')).length]"
    )
    assert set_ > 0 and left == 0
