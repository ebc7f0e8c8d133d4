// The report page: derivations below their rows, a search, and drawings that pan, zoom and fold.
"use strict";

const byId = name => document.getElementById(name);
const rowOf = why => byId(why.id.replace("-why-", "-row-"));

// -- derivations ---------------------------------------------------------------------------------

const close = row => {
  const shown = row.nextElementSibling;
  if (!shown?.classList.contains("why")) return false;
  row.closest("section").querySelector(".derivations").append(shown.firstChild.firstChild);
  shown.remove();
  row.querySelector("button").setAttribute("aria-expanded", "false");
  return true;
};

const open = row => {
  const why = byId(row.id.replace("-row-", "-why-"));
  if (!why || row.nextElementSibling?.classList.contains("why")) return;
  const below = document.createElement("tr"), cell = document.createElement("td");
  below.className = "why";
  cell.colSpan = row.cells.length;
  cell.append(why);
  below.append(cell);
  row.after(below);
  row.querySelector("button").setAttribute("aria-expanded", "true");
};

for (const why of document.querySelectorAll(".derivations > *")) {
  const row = rowOf(why), cell = row.cells[0], button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.title = "How its figures are computed";
  button.append(...cell.childNodes);
  cell.append(button);
  row.addEventListener("click", () => close(row) || open(row));
}

// -- search --------------------------------------------------------------------------------------

for (const box of document.querySelectorAll("input[type=search]")) {
  const section = box.closest("section");
  const rows = [...section.querySelectorAll("tr[id]")];
  const place = box.closest(".search");
  place.hidden = false;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = new Set();
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const shown = words.every(word => text.includes(word));
      if (!shown) close(row);
      row.hidden = !shown;
      if (shown) fits.add(row.id);
    }
    place.querySelector("output").textContent = words.length ? `${fits.size} of ${rows.length}` : "";
    for (const node of section.querySelectorAll(".drawing g.node")) {
      const target = node.querySelector("a")?.getAttribute("xlink:href")?.slice(1);
      const dim = words.length > 0 && target && byId(target) && !fits.has(target);
      node.classList.toggle("dim", dim);
    }
  });
}

// -- drawings ------------------------------------------------------------------------------------

for (const frame of document.querySelectorAll(".drawing")) {
  const states = [...frame.children], tools = frame.previousElementSibling;
  const panel = frame.nextElementSibling;
  let panzoom = null, moved = false;
  frame.classList.add("live");
  frame.tabIndex = 0;

  const fitting = svg => {
    const scale = Math.min(1, frame.clientWidth / svg.width.baseVal.value);
    frame.style.height = `min(80vh, ${Math.ceil(svg.height.baseVal.value * scale) + 4}px)`;
    return {scale, x: (frame.clientWidth / scale - svg.width.baseVal.value) / 2};
  };

  const fit = () => {
    const {scale, x} = fitting(states.find(state => !state.hidden).firstElementChild);
    panzoom.zoom(scale, {force: true});
    panzoom.pan(x, 0, {force: true});
  };

  const show = name => {
    const next = states.find(state => state.dataset.open === name);
    if (!next) return;
    panzoom?.destroy();
    for (const state of states) state.hidden = state !== next;
    const svg = next.firstElementChild;
    const {scale, x} = fitting(svg);
    panzoom = Panzoom(svg, {
      minScale: 0.05, maxScale: 8, step: 0.25, cursor: "grab", origin: "0 0", noBind: true,
      handleStartEvent: () => {}, startScale: scale, startX: x, startY: 0,
    });
  };

  const tell = id => {
    const row = byId(id), why = byId(id.replace("-row-", "-why-"));
    panel.replaceChildren();
    if (!row) return;
    const name = document.createElement("h4"), link = document.createElement("a");
    link.href = `#${id}`;
    link.textContent = row.cells[0].textContent;
    link.title = "Go to its row";
    link.addEventListener("click", () => open(row));
    name.append(link);
    const figures = document.createElement("p");
    const heads = row.closest("table").tHead.rows[0].cells;
    figures.textContent = [...row.cells].slice(1)
      .map((cell, index) => [heads[index + 1].textContent, cell.textContent])
      .filter(([, text]) => text).map(([head, text]) => `${head}: ${text}`).join(" · ");
    panel.append(name, figures);
    if (why) {
      const copy = why.cloneNode(true);
      copy.removeAttribute("id");
      panel.append(copy);
    }
    panel.hidden = false;
  };

  frame.addEventListener("click", event => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    if (moved) return;
    const target = link.getAttribute("xlink:href").slice(1);
    if (!target.includes("-open-")) return tell(target);
    show(target.split("-open-")[1]);
    const title = link.textContent.trim();  // the focus stays on the block in its new state
    const same = [...frame.querySelectorAll(":scope > div:not([hidden]) a")]
      .find(other => other.textContent.trim() === title);
    (same ?? frame).focus({preventScroll: true});
  });

  let from = null;
  frame.addEventListener("pointerdown", event => {
    from = [event.clientX, event.clientY];
    moved = false;
    panzoom.handleDown(event);
  });
  document.addEventListener("pointermove", event => {
    if (from === null) return;
    moved ||= Math.hypot(event.clientX - from[0], event.clientY - from[1]) > 4;
    panzoom.handleMove(event);
  });
  document.addEventListener("pointerup", event => {
    from = null;
    panzoom.handleUp(event);
  });
  frame.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey && !frame.matches(":focus-within")) return;
    event.preventDefault();
    panzoom.zoomWithWheel(event);
  }, {passive: false});

  const step = 60;
  const keys = {
    "+": () => panzoom.zoomIn(), "=": () => panzoom.zoomIn(), "-": () => panzoom.zoomOut(),
    "0": fit,
    ArrowLeft: () => panzoom.pan(step, 0, {relative: true}),
    ArrowRight: () => panzoom.pan(-step, 0, {relative: true}),
    ArrowUp: () => panzoom.pan(0, step, {relative: true}),
    ArrowDown: () => panzoom.pan(0, -step, {relative: true}),
  };
  frame.addEventListener("keydown", event => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
    frame.dataset.scale = panzoom.getScale();
  });
  const actions = {
    in: keys["+"], out: keys["-"], fit, all: () => show("all"), none: () => show("none"),
  };
  tools.hidden = false;
  for (const button of tools.querySelectorAll("button"))
    button.addEventListener("click", () => actions[button.dataset.does]());
  show(states.find(state => !state.hidden).dataset.open);
}

// -- keys ----------------------------------------------------------------------------------------

document.addEventListener("keydown", event => {
  if (event.key !== "Escape") return;
  const below = event.target.closest("tr.why"), figure = event.target.closest("figure");
  const row = below ? below.previousElementSibling : event.target.closest("tr[id]");
  if (row && close(row)) row.querySelector("button").focus();
  const panel = figure?.querySelector(".panel:not([hidden])");
  if (!panel) return;
  panel.hidden = true;
  figure.querySelector(".drawing").focus({preventScroll: true});
});

// -- sorting -------------------------------------------------------------------------------------

for (const head of document.querySelectorAll("th[aria-sort]"))
  head.firstElementChild.addEventListener("click", () => {
    for (const row of head.closest("table").querySelectorAll("tr[id]")) close(row);
  }, {capture: true});
