// The photo on the stage: zoom, pan, comparison with gray, and the marks of hints.

const $ = (id) => document.getElementById(id);
const view = $("view");
const paper = $("paper");
const handle = $("handle");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

let size = [1, 1]; // of the preview, in pixels
let full = [1, 1]; // of the file
let fitted = true; // the photo is fitted in, and stays so
let last = [0, 0]; // of the view, in pixels
let scale = 1;
let [left, top] = [0, 0];
let share = 0; // of the width that is shown gray
let acts = {}; // what to do on: tap, stroke, erase, move, moved, open, remove
let chosen = "point"; // tool
let spaced = false; // the space bar is held, and moves the photo
const touches = new Map();
let gesture = null;

export function start(handlers) {
  acts = handlers;
  new ResizeObserver(resized).observe(view);
}

export function setTool(name) {
  chosen = name;
  view.dataset.tool = tool();
}

export function setSpace(is) {
  spaced = is;
  view.dataset.tool = tool();
}

export function show({ shown, width, height }) {
  size = shown;
  full = [width, height];
  paper.style.width = `${size[0]}px`;
  paper.style.height = `${size[1]}px`;
  fit();
}

function smallest() {
  return Math.max(0.01, Math.min((view.clientWidth - 24) / size[0], (view.clientHeight - 24) / size[1]));
}

export function fit() {
  scale = smallest();
  left = (view.clientWidth - size[0] * scale) / 2;
  top = (view.clientHeight - size[1] * scale) / 2;
  fitted = true;
  place();
}

// A phone is turned, or a strip appears: what was in the middle stays there.
function resized() {
  const now = [view.clientWidth, view.clientHeight];
  if (fitted) fit();
  else {
    left += (now[0] - last[0]) / 2;
    top += (now[1] - last[1]) / 2;
    keepInView();
    place();
  }
  last = now;
}

// Screen pixels that one pixel of the file takes; 1 is 100 %.
const magnified = () => (scale * devicePixelRatio * size[0]) / full[0];
const MOST = 16;

export function zoom(factor, x = view.clientWidth / 2, y = view.clientHeight / 2) {
  const most = (MOST * scale) / magnified();
  const next = clamp(scale * factor, Math.min(smallest(), most / MOST), most);
  left = x - ((x - left) * next) / scale;
  top = y - ((y - top) * next) / scale;
  scale = next;
  fitted = false;
  keepInView();
  place();
}

// 100 % and back.
export function zoomToOwn() {
  if (Math.abs(magnified() - 1) < 0.001) fit();
  else zoom(1 / magnified());
}

// The file's own pixels --------------------------------------------------------------------

// What of the file is in view, if the preview has too few pixels for it: its box, and how many
// times smaller it can be shown.
export function part() {
  const ratio = full[0] / size[0];
  const much = magnified();
  if (ratio < 1.02 || much < 0.25 || scale * devicePixelRatio < 1.02) return null;
  const shrink = clamp(Math.floor(1 / much + 0.01), 1, 8);
  const box = view.getBoundingClientRect();
  const [x0, y0] = within(toPlace(box.left, box.top));
  const [x1, y1] = within(toPlace(box.right, box.bottom));
  const low = [x0 * full[0], y0 * full[1]].map((value) => Math.floor(value / shrink) * shrink);
  const high = [x1 * full[0], y1 * full[1]].map((value, i) => Math.min(full[i], Math.ceil(value / shrink) * shrink));
  if (high[0] <= low[0] || high[1] <= low[1]) return null;
  return { box: [...low, high[0] - low[0], high[1] - low[1]], shrink };
}

// Lays a picture of a part over the preview.
export function placePart(image, { box, shrink }, pixels) {
  const [across, down] = [size[0] / full[0], size[1] / full[1]];
  image.style.left = `${box[0] * across}px`;
  image.style.top = `${box[1] * down}px`;
  image.style.width = `${pixels[0] * shrink * across}px`;
  image.style.height = `${pixels[1] * shrink * down}px`;
  image.hidden = false;
}

export const isGraySeen = () => share > 0 || held;

function pan(x, y) {
  fitted = false;
  left += x;
  top += y;
  keepInView();
  place();
}

function keepInView() {
  const [w, h] = [size[0] * scale, size[1] * scale];
  left = clamp(left, 60 - w, view.clientWidth - 60);
  top = clamp(top, 60 - h, view.clientHeight - 60);
}

function place() {
  paper.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
  paper.style.setProperty("--back", 1 / scale);
  view.toggleAttribute("data-large", magnified() >= 2);
  $("percent").textContent = `${Math.round(100 * magnified())} %`;
  compare(share);
}

export function compare(value) {
  share = clamp(value, 0, 1);
  $("gray").style.clipPath = held ? "none" : `inset(0 ${100 * (1 - share)}% 0 0)`;
  acts.viewed?.();
  const x = clamp(left + size[0] * scale * share, 2, view.clientWidth - 2);
  $("divider").style.left = `${x}px`;
  handle.style.left = `${clamp(x, 23, view.clientWidth - 23) - x - 22}px`; // never out of sight
  handle.setAttribute("aria-valuenow", Math.round(100 * share));
  handle.setAttribute("aria-valuetext", `${Math.round(100 * share)} % shown gray`);
}

let held = false; // the photo without color is shown as long as something is pressed
export function hold(is) {
  if (held === is) return;
  held = is;
  view.toggleAttribute("data-held", is);
  compare(share);
}

export const sides = () => size;
export const shortSide = () => Math.min(...size);
export const isMoving = () => spaced || touches.size > 1;
export const tool = () => (spaced ? "move" : chosen);

// Client coordinates -> place in the photo, 0..1; may lie outside.
export function toPlace(x, y) {
  const box = view.getBoundingClientRect();
  return [(x - box.left - left) / (size[0] * scale), (y - box.top - top) / (size[1] * scale)];
}

export function toClient([x, y]) {
  const box = view.getBoundingClientRect();
  return [box.left + left + x * size[0] * scale, box.top + top + y * size[1] * scale];
}

const inside = ([x, y]) => x >= 0 && x < 1 && y >= 0 && y < 1;
export const within = ([x, y]) => [clamp(x, 0, 1), clamp(y, 0, 1)];

// Pointers on the photo --------------------------------------------------------------------

view.addEventListener("pointerdown", (event) => {
  if (event.target.closest("#handle, #reach, .mark, .area")) return;
  if (event.pointerType === "mouse" && event.button > 1) return;
  view.setPointerCapture(event.pointerId);
  touches.set(event.pointerId, [event.clientX, event.clientY]);
  if (touches.size === 2) {
    hold(false);
    gesture = { kind: "pinch" };
    return;
  }
  const at = toPlace(event.clientX, event.clientY);
  const draws = ["stroke", "lasso"].includes(tool()) && event.button === 0 && inside(at);
  gesture = {
    kind: draws ? "stroke" : "press",
    from: [event.clientX, event.clientY],
    path: [at],
    far: false,
    moves: event.button === 1 || tool() === "move",
    draw: acts[tool()],
  };
  const pressed = gesture;
  if (!draws && inside(at))
    setTimeout(() => {
      if (gesture !== pressed || pressed.far || acts.pressed?.()) return;
      pressed.kind = "hold";
      hold(true);
    }, 450);
});

view.addEventListener("pointermove", (event) => {
  const before = touches.get(event.pointerId);
  if (!before || !gesture) return;
  const now = [event.clientX, event.clientY];
  if (gesture.kind === "pinch") {
    const other = [...touches].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const box = view.getBoundingClientRect();
      const spread = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
      zoom(spread(now) / Math.max(1, spread(before)), (now[0] + other[0]) / 2 - box.left, (now[1] + other[1]) / 2 - box.top);
      pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    }
  } else {
    gesture.far ||= Math.hypot(now[0] - gesture.from[0], now[1] - gesture.from[1]) > 6;
    if (gesture.kind === "stroke" && gesture.far) {
      const [x, y] = toClient(gesture.path.at(-1));
      if (Math.hypot(now[0] - x, now[1] - y) > 5) {
        gesture.path.push(within(toPlace(...now)));
        gesture.draw(gesture.path, false);
      }
    } else if (gesture.kind === "press" && gesture.far) pan(now[0] - before[0], now[1] - before[1]);
  }
  touches.set(event.pointerId, now);
});

function end(event) {
  if (!touches.delete(event.pointerId) || !gesture) return;
  const done = gesture;
  if (touches.size === 0) gesture = null;
  if (done.kind === "hold") return hold(false);
  if (done.kind === "pinch" || event.type === "pointercancel") return;
  if (done.kind === "stroke" && done.path.length > 1) done.draw(done.path, true);
  else if (!done.far && !done.moves && tool() !== "erase" && inside(done.path[0])) acts.tap(done.path[0]);
}
view.addEventListener("pointerup", end);
view.addEventListener("pointercancel", end);
view.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const box = view.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
  },
  { passive: false },
);

// Comparison -------------------------------------------------------------------------------

handle.addEventListener("pointerdown", (event) => {
  event.stopPropagation();
  handle.setPointerCapture(event.pointerId);
  const move = (now) => compare(toPlace(now.clientX, now.clientY)[0]);
  const up = () => handle.removeEventListener("pointermove", move);
  handle.addEventListener("pointermove", move);
  handle.addEventListener("pointerup", up, { once: true });
  handle.addEventListener("pointercancel", up, { once: true });
});
handle.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -0.05, ArrowRight: 0.05, ArrowDown: -0.05, ArrowUp: 0.05, Home: -1, End: 1 }[event.key];
  if (!step) return;
  compare(share + step);
  event.preventDefault();
  event.stopPropagation();
});

// Keyboard on the photo --------------------------------------------------------------------

let cross = [0.5, 0.5];
view.addEventListener("keydown", (event) => {
  if (event.target !== view) return;
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (way) {
    const step = event.shiftKey ? 0.08 : 0.02;
    cross = within([cross[0] + way[0] * step, cross[1] + way[1] * step]);
    $("cross").hidden = false;
    $("cross").style.left = `${100 * cross[0]}%`;
    $("cross").style.top = `${100 * cross[1]}%`;
  } else if (event.key === "Enter" || event.key === " ") {
    if (!$("cross").hidden) acts.tap(cross.map((value) => Math.min(value, 0.9999)));
  } else return;
  event.preventDefault();
});
view.addEventListener("blur", () => ($("cross").hidden = true));
export const hasCross = () => !$("cross").hidden;
