"use strict";
// Wires the page: pointer, wheel and keys move the view, the search box and the part of the address after # choose the
// threads, the legend the states, and what is pointed at is told.

const element = (id) => document.getElementById(id);
const canvas = element("plot"), tip = element("tip"), box = element("search");
const recording = new Recording(
  JSON.parse(element("about").textContent), JSON.parse(element("threads").textContent), element("slices").textContent);
const view = new View(canvas, recording);

function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// What is known of a thread and its slice, beside the pointer.
function tell(one, x, y) {
  tip.hidden = !one;
  if (!one) return;
  const { track, slice } = one;
  tip.replaceChildren(make("b", "", recording.names[track]));
  if (recording.ids[track]) tip.append(make("span", "faint", ` thread ${recording.ids[track]}`));
  if (slice >= 0) {
    const [name, className, meaning] = recording.about.states[recording.states[slice]];
    const what = recording.whats[recording.whatOf[slice]], begin = recording.begin(track, slice);
    const state = make("div", "state", what === name ? meaning : `${name}: ${what}`);
    state.style.setProperty("--state", `var(--${className})`);
    tip.append(state, make("div", "", `for ${time(recording.ends[slice] - begin)}`));
    tip.append(make("div", "faint", `from ${time(begin)} to ${time(recording.ends[slice])}`));
    const waker = recording.waker(track, slice);
    if (waker) tip.append(make("div", "faint", `woken by ${recording.names[waker[0]]} at ${time(waker[1])}`));
  }
  const left = x + 16 + tip.offsetWidth > view.width ? x - 16 - tip.offsetWidth : x + 16;
  tip.style.left = `${Math.max(left, 0)}px`;
  tip.style.top = `${Math.max(Math.min(y + 16, view.height - tip.offsetHeight - 4), 0)}px`;
}

// Shows the threads that are found by the text; all if there is none.
function search(text) {
  view.search = text ? new Search(recording, text) : null;
  view.rows = view.search?.rows ?? null;
  view.hovered = view.kept = null;
  const all = recording.count.toLocaleString("en");
  element("found").textContent = text ? `${view.rowCount.toLocaleString("en")} of ${all} threads` : "";
  view.show(view.from, view.to, 0);
}

// The address says what is searched for, so that it can be kept and passed on.
function searchFromAddress() {
  const text = new URLSearchParams(location.hash.slice(1)).get("search") ?? "";
  if (text !== box.value.trim()) box.value = text;
  search(text);
}

function searchFromBox() {
  const text = box.value.trim();
  history.replaceState(null, "", text ? `#search=${encodeURIComponent(text)}` : "#");
  search(text);
}

function legend() {
  const seen = new Set(recording.states);
  recording.about.states.forEach(([name, className, meaning], state) => {
    if (!seen.has(state)) return;
    const button = make("button", "", name);
    button.title = meaning;
    button.style.setProperty("--state", `var(--${className})`);
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      const hide = !view.hidden.has(state);
      if (hide) view.hidden.add(state);
      else view.hidden.delete(state);
      button.setAttribute("aria-pressed", String(!hide));
      view.ask();
    });
    element("legend").append(button);
  });
}

// What the pointer does while it is down, by where it went down; `moved` tells a drag from a click.
let drag = null, moved = 0;

function overview(x) {
  const middle = (x - NAMES) / view.plotWidth * recording.duration, half = (view.to - view.from) / 2;
  view.show(middle - half, middle + half);
}

canvas.addEventListener("pointerdown", (event) => {
  const { offsetX: x, offsetY: y } = event;
  canvas.setPointerCapture(event.pointerId);
  moved = 0;
  if (y < STRIP) drag = (event) => overview(event.offsetX);
  else if (x > NAMES + view.plotWidth) drag = (event) => view.scrollTo(event.offsetY);
  else drag = (event) => view.pan(-event.movementX, -event.movementY / ROW);
  if (y < STRIP || x > NAMES + view.plotWidth) drag(event);
});

canvas.addEventListener("pointermove", (event) => {
  if (drag) {
    moved += Math.abs(event.movementX) + Math.abs(event.movementY);
    if (moved > 3) {
      canvas.classList.add("dragging");
      drag(event);
    }
    return;
  }
  view.hovered = view.under(event.offsetX, event.offsetY);
  tell(view.hovered, event.offsetX, event.offsetY);
  view.ask();
});

canvas.addEventListener("pointerup", (event) => {
  if (moved <= 3 && event.offsetY >= TOP) {
    const one = view.under(event.offsetX, event.offsetY);
    view.kept = one && one.slice >= 0 ? one : null;
    view.ask();
  }
  drag = null;
  canvas.classList.remove("dragging");
});

canvas.addEventListener("pointercancel", () => { drag = null; });

canvas.addEventListener("pointerleave", () => {
  view.hovered = null;
  tip.hidden = true;
  view.ask();
});

canvas.addEventListener("dblclick", (event) => {
  const one = view.under(event.offsetX, event.offsetY);
  if (!one || one.slice < 0) return;
  const from = recording.begin(one.track, one.slice), to = recording.ends[one.slice];
  view.show(from - (to - from) / 10, to + (to - from) / 10);
});

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1; // a line in pixels
  const x = event.deltaX * lines, y = event.deltaY * lines;
  if (event.offsetX < NAMES || event.shiftKey || event.offsetX > NAMES + view.plotWidth) view.pan(0, (x + y) / ROW);
  else if (Math.abs(x) > Math.abs(y)) view.pan(x, 0);
  else view.zoom(1.0015 ** y, event.offsetX);
}, { passive: false });

const KEYS = {
  a: () => view.pan(-view.plotWidth / 8, 0), ArrowLeft: () => view.pan(-view.plotWidth / 8, 0),
  d: () => view.pan(view.plotWidth / 8, 0), ArrowRight: () => view.pan(view.plotWidth / 8, 0),
  w: () => view.zoom(0.75), "+": () => view.zoom(0.75),
  s: () => view.zoom(1 / 0.75), "-": () => view.zoom(1 / 0.75),
  ArrowUp: () => view.pan(0, -1), ArrowDown: () => view.pan(0, 1),
  PageUp: () => view.pan(0, -view.rowsSeen), PageDown: () => view.pan(0, view.rowsSeen),
  Home: () => view.show(view.from, view.to, 0), End: () => view.show(view.from, view.to, Infinity),
  0: () => view.show(0, recording.duration),
  "/": () => box.focus(),
  Escape: () => { view.kept = null; view.ask(); },
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === box) {
    if (event.key === "Escape" || event.key === "Enter") canvas.focus();
    return;
  }
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

let soon;
box.addEventListener("input", () => {
  clearTimeout(soon);
  soon = setTimeout(searchFromBox, 120);
});
addEventListener("hashchange", searchFromAddress);
addEventListener("resize", () => view.resize());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { view.colours(); view.ask(); });

legend();
view.resize();
searchFromAddress();
view.draw();
document.documentElement.dataset.ready = "yes";
