// Choosing a color: what is likely there, what its lightness can be, and what was used before.

import * as color from "./color.js";
import { names, read as readColor, THINGS } from "./names.js";

const $ = (id) => document.getElementById(id);
const RECENT = 18;

let lightness = 50;
let current = "#808080";
let written = true; // what the field says is a color that was chosen
let acts = {};
let recent = read();
let near = [0, 0]; // what the picker stands beside, in client coordinates

function read() {
  try {
    return JSON.parse(sessionStorage.getItem("recent")) || [];
  } catch {
    return [];
  }
}

export function start(handlers) {
  acts = handlers;
  $("picker-close").onclick = () => acts.close();
  $("as-it-is").onclick = () => acts.keep();
  $("neutral").onclick = () => take(color.hex(color.linear(lightness, 0, 0)), true);
  $("remove").onclick = () => acts.remove();
  $("hex").addEventListener("input", () => (written = false));
  $("hex").addEventListener("change", () => {
    written = true;
    const value = readColor($("hex").value);
    $("hex").setAttribute("aria-invalid", !value);
    $("hex-wrong").hidden = !!value;
    if (value) take(value, true);
  });
  $("pick").onclick = () => acts.pick();
  $("far").addEventListener("input", () => acts.reach(reachAt(Number($("far").value)), false));
  $("far").addEventListener("change", () => acts.reach(null, true));
  for (const things of Object.values(THINGS)) $("color-names").append(...Object.keys(things).map((name) => new Option(name, name)));
  $("things").replaceChildren(...Object.keys(THINGS).map((name) => new Option(name, name)));
  $("things").addEventListener("change", showThings);
  startDragging();
  $("picker").addEventListener("keydown", stayInside);
  const canvas = $("gamut");
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    choose(event, false);
    canvas.onpointermove = (now) => choose(now, false);
  });
  const end = (event) => {
    if (!canvas.onpointermove) return;
    canvas.onpointermove = null;
    choose(event, true);
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    const [, a, b] = color.lab(current);
    const step = event.shiftKey ? 12 : 3;
    const next = color.linear(lightness, a + way[0] * step, b + way[1] * step);
    if (color.fits(next)) take(color.hex(next), true);
  });
}

// The slider's steps: shares of the short side, and at its end no limit.
const STEPS = 24;
const reachAt = (step) => (step >= STEPS ? null : 0.02 * 1.2 ** step);

export function setReach(reach) {
  $("far").value = reach ? Math.round(Math.log(reach / 0.02) / Math.log(1.2)) : STEPS;
  const words = reach ? `${Math.round(100 * reach)} %` : "as far as it is alike";
  document.querySelector("output[for=far]").value = words;
  $("far").setAttribute("aria-valuetext", reach ? `${words} of the short side` : words);
}

function showThings() {
  fill($("thing"), Object.entries(THINGS[$("things").value]).map(([name, value]) => [color.at(lightness, value), name]));
}

// It can be dragged away by its title, and opens there again.
let put = null;
function startDragging() {
  const title = $("picker-title").parentElement;
  title.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button") || event.button) return;
    const box = $("picker").getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    title.setPointerCapture(event.pointerId);
    title.onpointermove = (now) => {
      put = [now.clientX - x, now.clientY - y];
      place(...near);
    };
    title.onpointerup = title.onpointercancel = () => (title.onpointermove = null);
  });
}

// Tab goes round in it.
function stayInside(event) {
  if (event.key !== "Tab") return;
  const all = [...$("picker").querySelectorAll("button, input, select, summary, canvas")].filter((one) => one.offsetParent && one.tabIndex >= 0);
  const [from, to] = event.shiftKey ? [all[0], all.at(-1)] : [all.at(-1), all[0]];
  if (document.activeElement !== from) return;
  event.preventDefault();
  to.focus();
}

export const isOpen = () => !$("picker").hidden;

export function open(L, chosen, [x, y], isNew) {
  lightness = L;
  current = chosen;
  $("picker").hidden = false;
  $("suggested").replaceChildren();
  near = [x, y];
  $("as-it-is").hidden = !isNew;
  fill($("recent"), recent.map((one) => color.at(L, one)));
  $("recent-row").hidden = !recent.length;
  $("hex-wrong").hidden = true;
  showThings();
  show();
  place(x, y);
}

// Colors, and what share of the picture would follow each.
export function suggest(colors, follows) {
  fill($("suggested"), colors.map((one, i) => [one, `${names(one)}: ${percent(follows[i])} of the picture follows`]));
  place(...near);
}

export function setLightness(L) {
  lightness = L;
  showThings();
  show();
}

export function close() {
  $("picker").hidden = written = true;
}

export function remember(chosen) {
  recent = [chosen, ...recent.filter((one) => one !== chosen)].slice(0, RECENT);
  sessionStorage.setItem("recent", JSON.stringify(recent));
}

function place(x, y) {
  const box = $("picker").getBoundingClientRect();
  if (put) {
    $("picker").style.left = `${Math.max(8, Math.min(put[0], innerWidth - box.width - 8))}px`;
    $("picker").style.top = `${Math.max(8, Math.min(put[1], innerHeight - box.height - 8))}px`;
    return;
  }
  const beside = x + 28 + box.width < innerWidth ? x + 28 : x - 28 - box.width;
  $("picker").style.left = `${Math.max(8, beside)}px`;
  const view = $("view").getBoundingClientRect(); // not over the tools, where there is room
  const low = box.height < view.height ? view.bottom : innerHeight;
  $("picker").style.top = `${Math.max(8, Math.min(y - box.height / 3, low - box.height - 8))}px`;
}

// `colors`: "#rrggbb", or that with a name.
const percent = (share) => (share > 0 && share < 0.01 ? "less than 1 %" : `${Math.round(100 * share)} %`);

function fill(row, colors) {
  row.replaceChildren(
    ...colors.map((entry) => {
      const [one, name] = Array.isArray(entry) ? entry : [entry, names(entry)];
      const swatch = document.createElement("button");
      swatch.style.background = one;
      swatch.dataset.color = one;
      swatch.title = name;
      swatch.setAttribute("aria-label", name);
      swatch.setAttribute("aria-pressed", one === current);
      swatch.onclick = () => take(one, true);
      return swatch;
    }),
  );
}

export function take(chosen, final = true) {
  $("as-it-is").hidden = true; // it is no longer as it was
  current = chosen;
  show();
  acts.choose(chosen, final);
}

function show() {
  if (document.activeElement !== $("hex") || written) $("hex").value = current; // not what is being typed
  $("hex").removeAttribute("aria-invalid");
  for (const swatch of document.querySelectorAll("#picker .swatches button"))
    swatch.setAttribute("aria-pressed", swatch.dataset.color === current);
  draw();
}

function choose(event, final) {
  const box = $("gamut").getBoundingClientRect();
  const { middle, unit } = shape();
  let a = middle[0] + ((event.clientX - box.left) / box.width - 0.5) * unit * SIZE[0];
  let b = middle[1] - ((event.clientY - box.top) / box.height - 0.5) * unit * SIZE[1];
  for (let i = 0; i < 60 && !color.fits(color.linear(lightness, a, b)); i++) [a, b] = [a * 0.96, b * 0.96];
  take(color.hex(color.linear(lightness, a, b)), final);
}

// The colors of the lightness: where they lie, and their picture.
const SIZE = [260, 220]; // pixels of the picker
let drawn = null;
function shape() {
  if (drawn?.L === lightness) return drawn;
  const edges = [];
  for (let turn = 0; turn < 2 * Math.PI; turn += 0.05) {
    let far = 1;
    while (far < 140 && color.fits(color.linear(lightness, far * Math.cos(turn), far * Math.sin(turn)))) far += 1;
    edges.push([far * Math.cos(turn), far * Math.sin(turn)]);
  }
  const [low, high] = [Math.min, Math.max].map((most) => [0, 1].map((i) => most(...edges.map((edge) => edge[i]))));
  const middle = [0, 1].map((i) => (low[i] + high[i]) / 2);
  const unit = Math.max(...[0, 1].map((i) => (high[i] - low[i] + 4) / (SIZE[i] - 24))); // Lab units a pixel
  const { width, height } = $("gamut");
  const picture = new ImageData(width, height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const a = middle[0] + ((column + 0.5) / width - 0.5) * unit * SIZE[0];
      const b = middle[1] - ((row + 0.5) / height - 0.5) * unit * SIZE[1];
      const rgb = color.linear(lightness, a, b);
      if (color.fits(rgb)) picture.data.set([...color.bytes(rgb), 255], 4 * (row * width + column));
    }
  drawn = { L: lightness, middle, unit, picture };
  return drawn;
}

function draw() {
  const canvas = $("gamut");
  const pen = canvas.getContext("2d");
  const { middle, unit, picture } = shape();
  pen.putImageData(picture, 0, 0);
  const [, a, b] = color.lab(color.at(lightness, current)); // as near as the lightness comes to it
  const x = ((a - middle[0]) / unit / SIZE[0] + 0.5) * canvas.width;
  const y = (0.5 - (b - middle[1]) / unit / SIZE[1]) * canvas.height;
  for (const [width, ink] of [[9, "#000"], [5, "#fff"]]) {
    pen.lineWidth = width;
    pen.strokeStyle = ink;
    pen.beginPath();
    pen.arc(x, y, 15, 0, 2 * Math.PI);
    pen.stroke();
  }
}
