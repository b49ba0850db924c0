// Regions: drawn round a thing with the lasso, then said what they are for; moved and taken away.

import * as hints from "./hints.js";
import * as marks from "./marks.js";
import { keep, page } from "./photo.js";
import { stage } from "./stage.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
const CLOSE = 14; // pixels, within which a corner closes the line
const STRAIGHT = 1.5; // pixels, which a line may be off
const WAYS = ["apart", "predicted", "gray"];

let corners = []; // of a line that is being drawn corner by corner
let chosen = -1;
let show = () => {};
let drawn = () => {};

export function start(acts) {
  [show, drawn] = [acts.show, acts.draw];
  for (const way of WAYS) $(`keep-${way}`).addEventListener("change", () => choose(way));
  $("region-remove").onclick = () => remove(chosen);
  $("region-close").onclick = close;
}

// A line by one drag.
export function lasso(path, done) {
  corners = [];
  if (!done) return marks.draw(page.now, -1, path);
  const region = simple(path);
  if (region.length >= 3) add(region);
  else show();
}

// A line corner by corner, closed at its first one.
export function corner(place) {
  if (corners.length >= 3 && far(place, corners[0]) < CLOSE) {
    const region = corners;
    corners = [];
    return add(region);
  }
  corners.push(place);
  marks.draw(page.now, -1, [...corners, corners.length > 1 ? place : place]);
}

// Whether a line that was begun was given up.
export function giveUp() {
  if (!corners.length) return false;
  corners = [];
  show();
  return true;
}

function far(one, other) {
  const [[x0, y0], [x1, y1]] = [view.toClient(one), view.toClient(other)];
  return Math.hypot(x0 - x1, y0 - y1);
}

// Without the places that lie on a line between others (Douglas and Peucker).
function simple(path) {
  const points = path.map(view.toClient);
  const kept = new Set([0, path.length - 1]);
  const parts = [[0, path.length - 1]];
  while (parts.length) {
    const [from, to] = parts.pop();
    const [[x0, y0], [x1, y1]] = [points[from], points[to]];
    const length = Math.hypot(x1 - x0, y1 - y0);
    let [most, at] = [STRAIGHT, -1];
    for (let i = from + 1; i < to; i++) {
      const [x, y] = points[i];
      const off = length ? Math.abs((x1 - x0) * (y0 - y) - (x0 - x) * (y1 - y0)) / length : Math.hypot(x - x0, y - y0);
      if (off > most) [most, at] = [off, i];
    }
    if (at < 0) continue;
    kept.add(at);
    parts.push([from, at], [at, to]);
  }
  return path.filter((_, i) => kept.has(i));
}

function add(region) {
  hints.close();
  keep(page.now);
  page.now.regions.push({ region: region.map((place) => [...place]), keep: WAYS[0] });
  changed();
  open(page.now.regions.length - 1);
}

function changed() {
  show();
  drawn();
}

export function open(number) {
  hints.close();
  chosen = number;
  const { region, keep: way } = page.now.regions[number];
  $(`keep-${way}`).checked = true;
  $("region").hidden = false;
  const right = region.reduce((most, place) => (place[0] > most[0] ? place : most));
  const [x, y] = view.toClient(right);
  const box = $("region").getBoundingClientRect();
  $("region").style.left = `${Math.max(8, Math.min(x + 18, innerWidth - box.width - 8))}px`;
  $("region").style.top = `${Math.max(8, Math.min(y - box.height / 2, innerHeight - box.height - 8))}px`;
  $(`keep-${way}`).focus();
}

export const isOpen = () => !$("region").hidden;

export function close() {
  if (!isOpen()) return;
  const focused = $("region").contains(document.activeElement);
  $("region").hidden = true;
  if (focused) (marks.of("region", chosen) || $("view")).focus({ preventScroll: true });
  chosen = -1;
}

function choose(way) {
  keep(page.now);
  page.now.regions[chosen].keep = way;
  changed();
}

export function remove(number) {
  close();
  hints.close();
  keep(page.now);
  page.now.regions.splice(number, 1);
  changed();
  (marks.of("region", number) || marks.of("region", number - 1) || $("view")).focus({ preventScroll: true });
}

// Moves a region so that its middle comes to lie at a place.
export function move(number, to, first) {
  if (first) {
    close();
    hints.close();
    keep(page.now);
  }
  const one = page.now.regions[number];
  const middle = [0, 1].map((i) => one.region.reduce((sum, place) => sum + place[i], 0) / one.region.length);
  const by = [0, 1].map((i) => {
    const [low, high] = [Math.min, Math.max].map((most) => most(...one.region.map((place) => place[i])));
    return Math.min(1 - high, Math.max(-low, to[i] - middle[i])); // it stays whole
  });
  one.region = one.region.map((place) => place.map((value, i) => Math.min(1, Math.max(0, value + by[i]))));
  stage.dragging = true;
  changed();
}
