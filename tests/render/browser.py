"""A page in a real browser: Chromium without a window, and what it saw of the page.

The page stands in a frame as wide as a phone or a desk, served by this process, which notes every
request; a script around the frame measures and clicks. Nothing is resolved but this process.
"""

import html
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--dump-dom",
)

PROBE = """
const rgba = text => text.match(/[\\d.]+/g).map(Number);
const over = (front, back) => {
  const share = front.length > 3 ? front[3] : 1;
  return [0, 1, 2].map(i => front[i] * share + back[i] * (1 - share));
};
const light = color => {
  const [r, g, b] = color.map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (view, element) => {
  if (!element) return [255, 255, 255];
  const own = rgba(view.getComputedStyle(element).backgroundColor);
  return own.length < 4 ? own : over(own, behind(view, element.parentElement));
};
const contrast = (view, element) => {
  const back = behind(view, element);
  const front = over(rgba(view.getComputedStyle(element).color), back);
  const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const inView = (doc, element) => element.getClientRects().length > 0 && !element.closest("svg");
const says = element => [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
const order = (table, column) =>
  [...table.tBodies[0].rows].map(row => row.cells[column].dataset.value);

const act = (view, doc) => {
  const frame = doc.querySelector(".drawing.live");
  if (!frame || !doc.getElementById("googlenet")) return null;
  const shown = () => frame.querySelector(":scope > div:not([hidden])");
  const click = target => target.dispatchEvent(
    new view.MouseEvent("click", {bubbles: true, cancelable: true, view}));
  const box = title => [...shown().querySelectorAll("g.node a")]
    .find(a => a.textContent.trim().startsWith(title));
  const press = key => {
    frame.dispatchEvent(new view.KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
    return Number(frame.dataset.scale);
  };
  const acted = {"open at first": shown().dataset.open};
  const row = [...doc.querySelectorAll("tr[id]")].find(r => r.cells[0].textContent === "conv1");
  const cells = () => [...row.cells].filter(cell => cell.getClientRects().length).length;
  const escape = target => target.dispatchEvent(
    new view.KeyboardEvent("keydown", {key: "Escape", bubbles: true, cancelable: true}));
  acted["cells shown"] = cells();
  click(row.querySelector("button"));
  acted["cells of an open row"] = cells();
  acted["below the row"] = row.nextElementSibling.textContent;
  click(row.querySelector("button"));
  acted["closed again"] = !row.nextElementSibling.classList.contains("why");
  click(row.querySelector("button"));
  escape(row.nextElementSibling);
  acted["closed by Escape"] = !row.nextElementSibling.classList.contains("why")
    && doc.activeElement === row.querySelector("button");
  click(box("conv1"));
  acted.panel = frame.nextElementSibling.textContent;
  escape(box("conv1"));
  acted["panel closed by Escape"] = frame.nextElementSibling.hidden && doc.activeElement === frame;
  click(box("inception_4"));
  acted.unfolded = shown().dataset.open;
  acted["focus after unfolding"] = shown().contains(doc.activeElement)
    && doc.activeElement.textContent.trim().startsWith("inception_4");
  acted["zoomed by +"] = press("+");
  acted["zoomed by -"] = press("-");
  click(box("inception_4"));
  acted.folded = shown().dataset.open;
  const search = doc.querySelector("input[type=search]");
  search.value = "pool_proj conv";
  search.dispatchEvent(new view.Event("input"));
  acted.searched = search.closest("p").querySelector("output").textContent;
  acted.dimmed = shown().querySelectorAll("g.node.dim").length > 0;
  search.value = "";
  search.dispatchEvent(new view.Event("input"));
  acted.cut = [...doc.querySelectorAll("h1, h2, h3, p, li, dd, .stacked td, .tools button")]
    .filter(e => e.getBoundingClientRect().right > view.innerWidth + 1).map(e => e.textContent);
  acted["scrolled sideways"] = [...doc.querySelectorAll(".scroll:not(.picture)")]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.parentNode.className);
  acted["reached by tab"] = [...doc.querySelectorAll("button, input, a, [tabindex]")]
    .filter(e => e.tabIndex >= 0 && e.getClientRects().length).length;
  return acted;
};

document.querySelector("iframe").addEventListener("load", event => {
  const view = event.target.contentWindow, doc = event.target.contentDocument;
  const written = [...doc.body.querySelectorAll("*")].filter(e => says(e) && inView(doc, e));
  const least = (get) => written.map(e => [get(e), e.outerHTML.slice(0, 80)])
    .sort((a, b) => a[0] - b[0])[0] || null;
  const findings = {
    resources: view.performance.getEntriesByType("resource").map(entry => entry.name),
    width: doc.documentElement.scrollWidth,
    smallest: least(e => parseFloat(view.getComputedStyle(e).fontSize)),
    palest: least(e => contrast(view, e)),
    background: behind(view, doc.querySelector("main") || doc.body),
    pictures: [...doc.querySelectorAll("svg")].map(svg =>
      [svg.parentNode.className, svg.getBoundingClientRect().width / svg.viewBox.baseVal.width]),
    broken: [...doc.querySelectorAll("a, use")]
      .map(e => (e.getAttribute("href") || e.getAttribute("xlink:href")).slice(1))
      .filter(name => !doc.getElementById(name)),
    sorted: [...doc.querySelectorAll("table")].map(table =>
      [...table.tHead.rows[0].cells].map((head, column) => {
        const button = head.querySelector("button");
        if (!button) return null;
        const states = [order(table, column)];
        for (const _ of [1, 2]) {
          button.click();
          states.push([head.getAttribute("aria-sort"), order(table, column)]);
        }
        return states;
      })),
    acted: act(view, doc),
  };
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify(findings);
  document.body.append(out);
});
"""


@dataclass(frozen=True)
class Seen:
    """The findings of the script, the console's lines, and the paths that were asked for."""

    probe: dict[str, Any]
    console: list[str]
    requests: list[str]


def chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def look_at(page: str, *, width: int, dark: bool = False) -> Seen:
    """Open a page in a frame of this width and return what was seen."""
    around = (
        '<!DOCTYPE html><link rel="icon" href="data:,">'
        f'<iframe width="{width}" height="700"></iframe><script>{PROBE}'
        'document.querySelector("iframe").src = "/page.html";</script>'
    )
    program = chromium()
    assert program is not None
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    with (
        _served({"/": around, "/page.html": page}) as (place, requests),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        done = subprocess.run(
            [program, *FLAGS, scheme, f"--user-data-dir={profile}", place],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    match = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match is not None, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Seen(json.loads(html.unescape(match[1])), console, requests)


@contextmanager
def _served(pages: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            body = pages.get(self.path, "").encode()
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
