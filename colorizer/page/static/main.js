// The page: what is on the stage, and what happens when something is touched.

import * as engine from "./engine.js";
import { Gone, Silent } from "./failures.js";
import * as films from "./films.js";
import * as grid from "./grid.js";
import * as hints from "./hints.js";
import * as keeping from "./keeping.js";
import * as lending from "./lending.js";
import * as marks from "./marks.js";
import { isWorking, say } from "./messages.js";
import * as panel from "./panel.js";
import { keep, travel } from "./history.js";
import { create, filmOf, hasHints, labelOf, page, read, reset, rowOf } from "./photo.js";
import * as picker from "./picker.js";
import * as drawing from "./stage.js";
import { stage, VARIANTS } from "./stage.js";
import * as regions from "./regions.js";
import * as strip from "./strip.js";
import * as tools from "./tools.js";
import * as transfer from "./transfer.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
const HEARTBEAT = 10 * 60 * 1000; // so that the server knows that somebody is here

// Photos -----------------------------------------------------------------------------------

async function open(photo) {
  if (photo === page.now) return;
  hints.close();
  regions.close();
  regions.giveUp();
  page.now = photo;
  document.body.removeAttribute("data-empty");
  $("drop").hidden = true;
  for (const id of ["stage", "panel"]) $(id).hidden = false;
  for (const id of ["download", "format-row"]) $(id).hidden = !!filmOf(photo);
  if (filmOf(photo)) filmOf(photo).last = photo;
  drawing.hideOwn();
  for (const [id, address] of [["before", photo.grayAt], ["after", photo.shownAt || photo.grayAt]])
    if (address) $(id).src = address;
    else $(id).removeAttribute("src");
  $("after").alt = `${labelOf(photo)}, colored`;
  films.showFilm();
  view.show(photo);
  panel.showNotes(photo);
  drawing.showVariants(photo);
  show();
  if (document.activeElement === document.body) $("view").focus({ preventScroll: true });
  drawing.drawGray(photo).catch((error) => failed(error));
  await redraw();
}

const redraw = () => drawing.draw().then(drawing.drawVariants);

function close() {
  page.now = null;
  films.showFilm();
  document.body.dataset.empty = "";
  $("drop").hidden = false;
  for (const id of ["stage", "panel", "download", "download-all", "all", "save-hints", "format-row"]) $(id).hidden = true;
  drawStrip();
}

function drawStrip() {
  const open_ = (photo) => (hints.isPicking() ? hints.pickFrom(photo) : open(photo));
  strip.draw({ open: open_, openFilm, remove, removeFilm: films.remove });
  grid.draw();
  const alone = rowOf(page.now).length < 2;
  for (const id of ["apply", "all"]) $(id).hidden = alone;
  $("alike").hidden = alone || !page.server.lends.includes("reference");
  $("download-all").hidden = alone || !!filmOf(page.now);
}

function openFilm(film) {
  if (film.shots.length) open(film.last || film.shots[0]);
  else say(`${film.name} is still being read; its shots stand here when it is.`, "note");
}

// A film was read; one that was sent just now is opened, if nothing is looked at.
function arrived(film, isNew) {
  if (isNew && !page.now) openFilm(film);
}

// Another frame stands for a shot.
function replaced(before, after) {
  if (page.now === before) open(after);
  drawStrip();
}

function filmLeft(film) {
  if (film.shots.includes(page.now)) openNext(0);
  drawStrip();
}

function added(photo) {
  if (!page.now) open(photo);
  drawStrip();
  drawing.drawThumbs(transfer.isSending);
}

async function remove(photo) {
  hints.close();
  const place = page.photos.indexOf(photo);
  if (place < 0) return;
  drop(photo);
  try {
    await engine.forget(photo.id);
  } catch (error) {
    page.photos.splice(place, 0, photo);
    drawStrip();
    return failed(error);
  }
  say(`${photo.name} was removed.`, "note", ["Bring it back", () => restore(photo, place)]);
}

function drop(photo) {
  const place = page.photos.indexOf(photo);
  page.photos = page.photos.filter((one) => one !== photo);
  if (photo === page.now) openNext(place);
  drawStrip();
}

// What stands where something was taken away.
function openNext(place) {
  const next = page.photos[Math.min(place, page.photos.length - 1)] || page.films.find(({ shots }) => shots.length)?.shots[0];
  if (next) open(next);
  else close();
}

async function restore(photo, place) {
  try {
    await engine.restore(photo.id);
  } catch (error) {
    if (!(error instanceof Gone) || !photo.file) return failed(error);
    photo.id = (await engine.upload(photo.file, "", photo.salvage)).id;
    keeping.changed(photo);
  }
  page.photos.splice(place, 0, photo);
  open(photo);
  drawStrip();
}

// What the server holds: after a reload, and where another tab has changed something.
async function fetchPhotos() {
  const all = await engine.photos();
  const told = all.filter(({ of }) => !of);
  const frames = new Map(all.filter(({ of }) => of).map((one) => [one.id, one]));
  const changedHere = (photo) => photo === page.now && changedNow();
  films.merge(await engine.films(), true, frames);
  for (const film of page.films) films.refresh(film, frames, changedHere);
  films.watch();
  const mine = new Map(page.photos.map((photo) => [photo.id, photo]));
  for (const one of told) {
    const photo = mine.get(one.id);
    if (!photo) page.photos.push(Object.assign(create(one), { place: 0 }));
    else if (one.revision > photo.revision && !keeping.isDue(photo)) {
      read(photo, one.state);
      photo.revision = one.revision;
      if (photo === page.now) changedNow();
    }
  }
  const there = new Set(told.map((one) => one.id));
  for (const photo of [...page.photos])
    if (mine.has(photo.id) && !there.has(photo.id) && !photo.file) drop(photo);
  if (!page.now) openNext(0);
  drawStrip();
  drawing.drawThumbs(transfer.isSending);
}

// What an earlier start of the server has left.
function askOfLeft({ photos, films: count = 0, when }) {
  const many = (number, what) => number && `${number} ${what}${number > 1 ? "s" : ""}`;
  const what = [many(photos, "photo"), many(count, "film")].filter(Boolean).join(" and ");
  const date = new Date(1000 * when).toLocaleString([], { dateStyle: "long", timeStyle: "short" });
  $("left-words").textContent = `${what}, with all that was said of them, are here from ${date}.`;
  const answer = (act) => () => {
    $("left").close();
    act().then(fetchPhotos).catch(failed);
  };
  $("left-take").onclick = answer(async () => {
    const { lost } = await engine.takeLeft();
    if (lost.length) say(`No longer to be read, and left out: ${lost.join(", ")}`);
  });
  $("left-drop").onclick = answer(engine.dropLeft);
  $("left").showModal();
}

function failed(error) {
  const act = error instanceof Silent && page.now && hasHints(page.now);
  say(error.message, "", act ? ["Save the hints", () => transfer.saveHints(page.now)] : null);
}

// Changes ----------------------------------------------------------------------------------

let changing = false;

function change(name, value, { settled = true } = {}) {
  if (!changing) keep(page.now);
  changing = !settled;
  page.now.settings[name] = value;
  show();
  keeping.changed(page.now);
  return drawing.draw();
}

function go(back) {
  if (!page.now || (hints.close() && back)) return; // a hint that said nothing was the last step
  if (travel(page.now, back)) changedNow();
}

function changedNow() {
  show();
  keeping.changed(page.now);
  redraw();
}

function show() {
  const photo = page.now;
  panel.show(photo);
  lending.show(photo);
  films.showFilm();
  $("undo").disabled = !photo.past.length && !hints.isFresh();
  $("redo").disabled = !photo.future.length;
  marks.draw(photo, hints.chosenHint());
  drawStrip();
}

// What is touched --------------------------------------------------------------------------

for (const id of ["files", "files-too"])
  $(id).addEventListener("change", ({ target }) => {
    transfer.add([...target.files]);
    target.value = "";
  });
$("drop").addEventListener("click", (event) => event.target.closest(".invite") && !event.target.closest("label, a") && $("files-too").click());
lending.start({
  change: (name, value) => change(name, value).then(drawing.drawVariants),
  lent(photo, name, value) {
    keep(photo);
    photo.settings[name] = value;
    photo.shownAt = photo.thumbAt = null;
    keeping.changed(photo);
  },
  drawn() {
    drawStrip();
    drawing.drawThumbs(transfer.isSending);
  },
  failed,
  add: transfer.add,
});
$("alike").onclick = () => lending.lendToOthers(page.now);
panel.start({
  change(name, value) {
    stage.dragging = true;
    change(name, value, { settled: false });
  },
  settle() {
    stage.dragging = changing = false;
    redraw();
  },
  choose: (name, value) => change(name, value).then(drawing.drawVariants),
  formatted() {
    keeping.changed(page.now);
    show();
  },
});
$("reset").onclick = () => {
  hints.close();
  keep(page.now);
  reset(page.now);
  changedNow();
};
function applyToAll(from) {
  hints.close();
  grid.apply(from, keeping.changed);
  say(`The settings of ${labelOf(from)}, without the hints, are those of all ${filmOf(from) ? "shots" : "photos"} now.`, "note");
  if (page.now !== from) changedNow();
  drawStrip();
  drawing.drawThumbs(transfer.isSending);
}
$("apply").onclick = () => applyToAll(page.now);
tools.start({ open, go });
grid.start({ open, remove, apply: applyToAll, download: transfer.download, changed: keeping.changed });
$("remove-photo").onclick = () => (filmOf(page.now) ? films.remove(filmOf(page.now)) : remove(page.now));
$("download").onclick = () => transfer.download([page.now]);
$("download-all").onclick = () => transfer.download(page.photos);
$("save-hints").onclick = () => transfer.saveHints(page.now);
$("undo").onclick = () => go(true);
$("redo").onclick = () => go(false);
for (let variant = 1; variant <= VARIANTS; variant++) {
  const button = document.createElement("button");
  button.setAttribute("role", "radio");
  button.setAttribute("aria-label", variant === 1 ? "As predicted" : `Alternative ${variant}`);
  button.onclick = () => {
    drawing.tryVariant(null);
    change("variant", variant);
    button.focus();
  };
  button.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && drawing.tryVariant(variant));
  button.addEventListener("pointerleave", () => drawing.tryVariant(null));
  $("variants").append(button);
}

tools.rove($("variants"), [...$("variants").children], () => page.now.settings.variant - 1);

addEventListener("dragover", (event) => {
  event.preventDefault();
  $("veil").hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("veil").hidden = true;
});
addEventListener("drop", (event) => {
  event.preventDefault();
  $("veil").hidden = true;
  lending.dropped([...event.dataTransfer.files], event.target);
});
addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) transfer.add([...event.clipboardData.files]);
});

let swallowed = false; // this touch only closes the picker, or only shows the photo without color
addEventListener("pointerdown", (event) => {
  swallowed = false;
  if (regions.isOpen() && !event.target.closest("#region, .area")) regions.close();
  if (hints.isPicking() && event.target.closest("#view, #shots, #strip, #other")) return;
  if (!picker.isOpen() || view.isMoving() || event.target.closest("#picker, .mark, #reach, #handle, #undo, #bare")) return;
  swallowed = hints.isFresh() && !!event.target.closest("#view");
  hints.close();
}, true);

// Nothing is lost --------------------------------------------------------------------------

addEventListener("beforeunload", (event) => {
  const isLost = !engine.OUTLIVES && page.photos.some(({ past }) => past.length);
  if (isLost || keeping.isUnsaved() || transfer.isSending() || isWorking()) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) fetchPhotos().catch(() => {});
});
addEventListener("pageshow", (event) => event.persisted && fetchPhotos().catch(() => {}));
setInterval(() => engine.photos().catch(() => {}), HEARTBEAT);

$("shots").addEventListener("scroll", () => drawing.drawThumbs(transfer.isSending));
stage.failed = failed;
stage.drawn = drawStrip;
const marked = { show, draw: () => {
  keeping.changed(page.now);
  if (stage.dragging) drawing.draw();
  else redraw();
} };
hints.start(marked);
regions.start(marked);
const moved = () => {
  stage.dragging = false;
  marked.draw();
};
marks.start({
  hint: { open: hints.choose, move: hints.move, moved, remove: hints.remove },
  region: { open: regions.open, move: regions.move, moved, remove: regions.remove },
  ring: { reach: hints.reach, center: hints.center },
});
$("other-close").onclick = () => $("other").close();
$("other-photo").addEventListener("click", ({ offsetX, offsetY, target }) => hints.pickAt([offsetX / target.clientWidth, offsetY / target.clientHeight], target));
transfer.start({
  added,
  changed(photo) {
    keeping.changed(photo);
    if (photo === page.now) changedNow();
  },
  paced: () => engine.about().then(({ paces }) => (page.server.paces = paces), () => {}),
});
view.start({
  tap(place) {
    if (swallowed || !page.server.hints) return;
    if (hints.isPicking()) hints.pickAt(place);
    else if (view.tool() === "lasso") regions.corner(place);
    else hints.tap(place);
  },
  stroke: hints.stroke,
  lasso: regions.lasso,
  viewed: drawing.lookSoon,
  pressed: () => swallowed,
});
picker.start({
  choose: hints.recolor,
  close: hints.close,
  keep: hints.keepAsItIs,
  pick: () => hints.pick(),
  reach: hints.reach,
  remove: () => hints.remove(),
});

try {
  page.server = await engine.about();
  for (const part of document.querySelectorAll("[data-steers]")) part.hidden = !page.server.steers;
  for (const part of document.querySelectorAll("[data-lends]")) part.hidden = !page.server.lends.includes(part.dataset.lends);
  panel.showFormats(page.server);
  for (const part of document.querySelectorAll("[data-hints]")) part.hidden = !page.server.hints;
  if (!page.server.hints) {
    tools.setTool("move");
    $("view").setAttribute("aria-label", "The photo");
  }
  for (const part of document.querySelectorAll(".local")) part.textContent = page.server.privacy;
  if (page.server.reads) $("reads").textContent = page.server.reads;
  films.begun({ arrived, replaced, left: filmLeft, fetch: fetchPhotos, drawn: show });
  await fetchPhotos();
  if (page.server.left?.photos || page.server.left?.films) askOfLeft(page.server.left);
} catch (error) {
  failed(error);
}
document.body.dataset.ready = "";
