// What lies over the photo: marks of hints and regions, strokes, outlines, and the ring of a reach.

import { names } from "./names.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
const DEFAULT_REACH = 0.35; // of the short side, where the ring stands that says nothing yet
const LEAST_REACH = 0.02;
const KEEPS = { gray: "kept gray", predicted: "left alone", apart: "kept apart" };

let acts = {}; // of "hint" and "region": open, move, moved, remove; of the ring: reach, reached

export function start(handlers) {
  acts = handlers;
}

export const of = (kind, number) => $("marks").querySelectorAll(kind === "hint" ? ".mark" : ".area")[number];

export function draw({ hints, regions }, chosen = -1, draft = null) {
  const center = ({ region }) => [0, 1].map((i) => region.reduce((sum, place) => sum + place[i], 0) / region.length);
  fill("hint", hints, (hint) => hint.at || hint.stroke[0], (mark, hint, number) => {
    mark.style.background = hint.color;
    mark.setAttribute("aria-expanded", number === chosen);
    const what = hint.at ? "Hint" : "Stroke";
    return `${what} ${number + 1}: ${names(hint.color)}, ${hint.color}`;
  });
  fill("region", regions, center, (mark, { keep }, number) => {
    mark.dataset.keep = keep;
    return `Region ${number + 1}: ${KEEPS[keep]}`;
  });
  const [width, height] = view.sides();
  const strokes = $("strokes");
  strokes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const lines = hints.filter((hint) => hint.stroke).flatMap(stroke);
  const areas = [...regions, ...(draft ? [{ region: draft, keep: "draft" }] : [])].flatMap(outline);
  strokes.replaceChildren(...ring(hints[chosen]), ...areas, ...lines);
}

function fill(kind, list, placeOf, tell) {
  const old = [...$("marks").querySelectorAll(kind === "hint" ? ".mark" : ".area")];
  list.forEach((one, number) => {
    const mark = old[number] || create(kind);
    const [x, y] = placeOf(one);
    mark.style.left = `${100 * x}%`;
    mark.style.top = `${100 * y}%`;
    mark.dataset.number = number;
    mark.setAttribute("aria-label", `${tell(mark, one, number)}. Enter changes it, arrow keys move it, Delete removes it.`);
  });
  old.slice(list.length).forEach((mark) => mark.remove());
}

// Lines -------------------------------------------------------------------------------------

function shape(name, places, about) {
  const [width, height] = view.sides();
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  made.setAttribute("points", places.map(([x, y]) => `${x * width},${y * height}`).join(" "));
  for (const [key, value] of Object.entries(about)) made.setAttribute(key, value);
  return made;
}

const line = (places, ink, width, about = {}) => shape("polyline", places, { stroke: ink, "stroke-width": width, ...about });

function stroke(hint) {
  const broad = hint.width ? [line(hint.stroke, hint.color, hint.width * view.shortSide(), { class: "broad" })] : [];
  return [...broad, ...[["rgb(0 0 0 / .6)", 8], ["#fff", 6], [hint.color, 3.5]].map(([color, width]) => line(hint.stroke, color, width))];
}

const outline = ({ region, keep }) =>
  ["dark", "light"].map((tone) => shape(keep === "draft" ? "polyline" : "polygon", region, { class: `outline ${tone} ${keep}` }));

// How far a hint reaches: a band around it, and a handle at its edge.
function ring(hint) {
  const handle = $("reach");
  handle.hidden = !hint;
  if (!hint) return [];
  const places = hint.stroke || [hint.at, hint.at];
  const reach = hint.reach ?? DEFAULT_REACH;
  const [[x, y], [width, height]] = [places[0], view.sides()];
  const [across, down] = [width, height].map((side) => (reach * view.shortSide()) / side);
  const around = [[x - across, y], [x, y + down], [x, y - down], [x + across, y]];
  const [left, top] = around.find((place) => place.every((value) => value > 0 && value < 1) && isSeen(place)) || around[0];
  handle.style.left = `${100 * left}%`;
  handle.style.top = `${100 * top}%`;
  handle.setAttribute("aria-valuenow", Math.round(100 * reach));
  handle.setAttribute("aria-valuetext", hint.reach ? `${Math.round(100 * reach)} % of the short side` : "as far as it is alike");
  if (places.length > 2) return [line(places, "#fff", 2 * reach * view.shortSide(), { class: `ring ${hint.reach ? "" : "open"}` })];
  return ["dark", "light"].map((tone) => {
    const circle = shape("circle", [], { cx: x * width, cy: y * height, r: reach * view.shortSide(), class: `outline ${tone} ${hint.reach ? "reach" : "open"}` });
    circle.removeAttribute("points");
    return circle;
  });
}

const isSeen = (place) => !document.elementFromPoint(...view.toClient(place))?.closest("#picker");
const clamp = (value) => Math.min(2, Math.max(LEAST_REACH, value));

function startRing() {
  const handle = $("reach");
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    handle.setPointerCapture(event.pointerId);
    const move = (now) => {
      const [x, y] = view.toPlace(now.clientX, now.clientY);
      const [[width, height], [own, high]] = [view.sides(), acts.ring.center()];
      acts.ring.reach(clamp(Math.hypot((x - own) * width, (y - high) * height) / view.shortSide()), false);
    };
    const up = () => {
      handle.removeEventListener("pointermove", move);
      acts.ring.reach(null, true);
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", up, { once: true });
    handle.addEventListener("pointercancel", up, { once: true });
  });
  handle.addEventListener("keydown", (event) => {
    const factor = { ArrowLeft: 1 / 1.15, ArrowDown: 1 / 1.15, ArrowRight: 1.15, ArrowUp: 1.15 }[event.key];
    if (!factor) return;
    event.preventDefault();
    event.stopPropagation();
    acts.ring.reach(clamp((Number(handle.getAttribute("aria-valuenow")) / 100) * factor), false);
    acts.ring.reach(null, true);
  });
}
startRing();

// Marks --------------------------------------------------------------------------------------

function create(kind) {
  const mark = document.createElement("button");
  mark.className = kind === "hint" ? "mark" : "area";
  mark.setAttribute("aria-haspopup", "dialog");
  const own = () => Number(mark.dataset.number);
  const act = () => acts[kind];
  mark.addEventListener("pointerdown", (event) => {
    if (view.tool() === "move" || event.button) return;
    event.stopPropagation();
    if (view.tool() === "erase") return act().remove(own());
    mark.setPointerCapture(event.pointerId);
    const begin = [event.clientX, event.clientY];
    let moved = false;
    const move = (now) => {
      if (!moved && Math.hypot(now.clientX - begin[0], now.clientY - begin[1]) < 5) return;
      act().move(own(), view.within(view.toPlace(now.clientX, now.clientY)), !moved);
      moved = true;
    };
    const ended = () => {
      mark.removeEventListener("pointermove", move);
      mark.removeEventListener("pointerup", ended);
      mark.removeEventListener("pointercancel", ended);
      if (moved) act().moved(own());
      else act().open(own());
    };
    mark.addEventListener("pointermove", move);
    mark.addEventListener("pointerup", ended);
    mark.addEventListener("pointercancel", ended);
  });
  mark.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      const [x, y] = [parseFloat(mark.style.left) / 100, parseFloat(mark.style.top) / 100];
      const step = event.shiftKey ? 0.05 : 0.005;
      act().move(own(), view.within([x + way[0] * step, y + way[1] * step]), true);
      act().moved(own());
    } else if (event.key === "Enter" || event.key === " ") act().open(own());
    else if (event.key === "Delete" || event.key === "Backspace") act().remove(own());
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  $("marks").append(mark);
  return mark;
}
