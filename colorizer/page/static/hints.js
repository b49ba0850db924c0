// Saying colors: a hint is begun on the photo, its color is chosen, it is moved and taken away.

import * as engine from "./engine.js";
import * as color from "./color.js";
import * as marks from "./marks.js";
import { say } from "./messages.js";
import { keep, state } from "./history.js";
import { page, settingsOf } from "./photo.js";
import * as picker from "./picker.js";
import { stage, withPhoto } from "./stage.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);

let chosen = -1; // the hint whose color is being chosen
let before = null; // what was, while that hint has no color of the user's yet
let changing = false; // its color is being dragged
let show = () => {};
let draw = () => {};

export function start(acts) {
  [show, draw] = [acts.show, acts.draw];
}

export const chosenHint = () => chosen;
export const isFresh = () => before !== null;

export async function tap(place) {
  await begin({ at: place, color: await underneath(place) });
}

// Nothing is said yet, so nothing is kept of it until a color is chosen.
async function begin(hint) {
  close();
  before = state(page.now);
  page.now.hints.push(hint);
  await choose(page.now.hints.length - 1);
}

let dot = null; // a canvas, for the color that a new hint starts from
async function underneath([x, y], image = $("after")) {
  await image.decode().catch(() => {});
  dot ||= document.createElement("canvas");
  dot.width = dot.height = 1;
  const pen = dot.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, Math.floor(x * image.naturalWidth), Math.floor(y * image.naturalHeight), 1, 1, 0, 0, 1, 1);
  return `#${[...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((c) => c.toString(16).padStart(2, "0")).join("")}`;
}

export async function choose(number) {
  if (isFresh() && number !== chosen && chosen >= 0) close();
  const photo = page.now;
  const hint = photo.hints[number];
  if (!hint) return;
  chosen = number;
  const place = hint.at || hint.stroke[Math.floor(hint.stroke.length / 2)];
  show();
  picker.open(color.lab(hint.color)[0], hint.color, view.toClient(place), isFresh());
  picker.setReach(hint.reach);
  show(); // the ring's handle lies beside the picker
  try {
    const told = () => ({ settings: settingsOf(photo), x: place[0], y: place[1] });
    const found = await withPhoto(photo, () => engine.suggest(photo.id, told()));
    if (photo !== page.now || chosen !== number || photo.hints[number] !== hint) return;
    picker.setLightness(found.L);
    picker.suggest(found.colors, found.follows);
    if (document.activeElement !== $("hex")) $("suggested").firstChild?.focus();
  } catch (error) {
    say(error.message);
  }
}

export function recolor(value, settled) {
  const photo = page.now;
  if (chosen < 0) return;
  if (isFresh()) keep(photo, before);
  else if (!changing) keep(photo);
  before = null;
  changing = !settled;
  stage.dragging = !settled;
  photo.hints[chosen].color = value;
  if (settled) picker.remember(value);
  show();
  draw();
}

// The color that is there is right: say so, that other hints leave it alone.
export function keepAsItIs() {
  if (chosen < 0) return;
  recolor(page.now.hints[chosen].color, true);
  close();
}

// Whether a hint that said nothing went with it.
export function close() {
  if (!picker.isOpen()) return false;
  pick(false);
  const focused = $("picker").contains(document.activeElement) || document.activeElement === document.body;
  picker.close();
  const [number, dropped] = [chosen, isFresh()];
  if (dropped && page.now) page.now.hints.splice(number, 1);
  chosen = -1;
  before = null;
  changing = stage.dragging = false;
  if (page.now) show();
  if (focused) (marks.of("hint", dropped ? -1 : number) || $("view")).focus({ preventScroll: true });
  return dropped;
}

export function remove(number = chosen) {
  if (close() && number === page.now.hints.length) return; // it was the one that said nothing
  keep(page.now);
  page.now.hints.splice(number, 1);
  show();
  draw();
  (marks.of("hint", number) || marks.of("hint", number - 1) || $("view")).focus({ preventScroll: true });
}

export function move(number, to, first) {
  if (first) {
    if (close() && number === page.now.hints.length) return;
    keep(page.now);
  }
  const hint = page.now.hints[number];
  if (!hint) return;
  stage.dragging = true;
  if (hint.at) hint.at = to;
  else {
    const [x, y] = [to[0] - hint.stroke[0][0], to[1] - hint.stroke[0][1]];
    const inside = (value) => Math.min(1, Math.max(0, value));
    hint.stroke = hint.stroke.map((place) => [inside(place[0] + x), inside(place[1] + y)]);
  }
  show();
  draw();
}

// Of a stroke with the brush as it is set.
const brushed = (along, value) => {
  const width = Number($("brush").value);
  return { stroke: along, color: value, ...(width && { width }) };
};

// How far the chosen hint reaches, while that is dragged; then `settled`.
export function reach(value, settled) {
  const hint = page.now.hints[chosen];
  if (!hint) return;
  if (!settled) {
    if (!isFresh() && !changing) keep(page.now);
    if (value === null) delete hint.reach; // likeness alone decides
    else hint.reach = Number(value.toFixed(3));
  }
  changing = stage.dragging = !settled;
  picker.setReach(hint.reach);
  show();
  if (!isFresh()) draw();
}

// Where the chosen hint is.
export const center = () => {
  const { at, stroke: along } = page.now.hints[chosen];
  return at || along[0];
};

// The eyedropper: the next touch of a photo is asked for its color.
export const isPicking = () => $("pick").getAttribute("aria-pressed") === "true";

export function pick(is = !isPicking()) {
  $("pick").setAttribute("aria-pressed", is);
  $("view").toggleAttribute("data-picking", is);
  document.body.toggleAttribute("data-picking", is);
  if (!is) $("other").close();
}

export async function pickAt(place, image = $("after")) {
  const found = await underneath(place, image);
  pick(false);
  picker.take(found);
}

// Another photo, to take a color from it.
export function pickFrom(photo) {
  if (!photo.shownAt && !photo.thumbAt) return;
  $("other-photo").src = photo.shownAt || photo.thumbAt;
  $("other-photo").alt = `${photo.name}, colored`;
  $("other").showModal();
}

export function stroke(path, done) {
  if (!done) return marks.draw({ ...page.now, hints: [...page.now.hints, brushed(path, "#ffffff")] });
  const places = path.map((place) => [...place]);
  return underneath(places[Math.floor(places.length / 2)]).then((under) => begin(brushed(places, under)));
}
