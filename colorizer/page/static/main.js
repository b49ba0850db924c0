// The page: what is on the stage, and what happens when something is touched.

import * as engine from "./engine.js";
import { Gone, Silent } from "./failures.js";
import * as hints from "./hints.js";
import * as keeping from "./keeping.js";
import { isWorking, say } from "./messages.js";
import { command, create, hasHints, keep, page, read, reset, travel } from "./photo.js";
import * as picker from "./picker.js";
import * as drawing from "./stage.js";
import { stage, VARIANTS } from "./stage.js";
import * as strip from "./strip.js";
import * as transfer from "./transfer.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
const HEARTBEAT = 10 * 60 * 1000; // so that the server knows that somebody is here

// Photos -----------------------------------------------------------------------------------

async function open(photo) {
  if (photo === page.now) return;
  hints.close();
  page.now = photo;
  document.body.removeAttribute("data-empty");
  $("drop").hidden = true;
  for (const id of ["stage", "panel", "download", "format-row"]) $(id).hidden = false;
  drawing.hideOwn();
  for (const [id, address] of [["before", photo.grayAt], ["after", photo.shownAt || photo.grayAt]])
    if (address) $(id).src = address;
    else $(id).removeAttribute("src");
  $("after").alt = `${photo.name}, colored`;
  view.show(photo);
  showNotes();
  drawing.showVariants(photo);
  show();
  if (document.activeElement === document.body) $("view").focus({ preventScroll: true });
  drawing.drawGray(photo).catch((error) => failed(error));
  await redraw();
}

const redraw = () => drawing.draw().then(drawing.drawVariants);

function close() {
  page.now = null;
  document.body.dataset.empty = "";
  $("drop").hidden = false;
  for (const id of ["stage", "panel", "download", "download-all", "save-hints", "format-row"]) $(id).hidden = true;
  drawStrip();
}

function drawStrip() {
  strip.draw(open, remove);
  $("apply").hidden = $("download-all").hidden = page.photos.length < 2;
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
  if (photo !== page.now) return drawStrip();
  const next = page.photos[Math.min(place, page.photos.length - 1)];
  if (next) open(next);
  else close();
  drawStrip();
}

async function restore(photo, place) {
  try {
    await engine.restore(photo.id);
  } catch (error) {
    if (!(error instanceof Gone) || !photo.file) return failed(error);
    photo.id = (await engine.upload(photo.file)).id;
    keeping.changed(photo);
  }
  page.photos.splice(place, 0, photo);
  open(photo);
  drawStrip();
}

// What the server holds: after a reload, and where another tab has changed something.
async function fetchPhotos() {
  const told = await engine.photos();
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
  if (!page.now && page.photos.length) open(page.photos[0]);
  drawStrip();
  drawing.drawThumbs(transfer.isSending);
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
  const { settings } = photo;
  $("vividness").value = settings.vividness;
  $("temperature").value = settings.boldness;
  $("quality").checked = settings.quality === "best";
  $("format").value = photo.format;
  document.querySelector("output[for=vividness]").value = `${Math.round(100 * settings.vividness)} %`;
  document.querySelector("output[for=temperature]").value = settings.boldness
    ? `${settings.boldness > 0 ? "+" : "−"}${Math.abs(Math.round(100 * settings.boldness))}`
    : "as it comes";
  [...$("variants").children].forEach((button, i) => {
    button.setAttribute("aria-checked", settings.variant === i + 1);
    button.tabIndex = settings.variant === i + 1 ? 0 : -1;
  });
  $("palette-file").textContent = settings.palette?.name || "none";
  $("palette-off").hidden = !settings.palette;
  $("undo").disabled = !photo.past.length && !hints.isFresh();
  $("redo").disabled = !photo.future.length;
  $("save-hints").hidden = !hasHints(photo);
  $("tip").hidden = !page.server.hints;
  $("command").textContent = command(photo);
  view.drawMarks(photo.hints, hints.chosenHint());
  drawStrip();
}

function showNotes() {
  const { name, width, height, bits, notes } = page.now;
  const size = `${width.toLocaleString("en")} × ${height.toLocaleString("en")} pixels, ${bits} bits`;
  $("notes").replaceChildren(
    ...[`${name}: ${size}`, ...notes].map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
}

async function setPalette(file) {
  try {
    const told = await engine.upload(file, "palette");
    drawing.palettes.set(told.id, file);
    change("palette", { id: told.id, name: told.name }).then(drawing.drawVariants);
  } catch (error) {
    failed(error);
  }
}

// What is touched --------------------------------------------------------------------------

for (const id of ["files", "files-too"])
  $(id).addEventListener("change", ({ target }) => {
    transfer.add([...target.files]);
    target.value = "";
  });
$("palette").addEventListener("change", ({ target }) => {
  if (target.files[0]) setPalette(target.files[0]);
  target.value = "";
});
$("palette-off").onclick = () => change("palette", null).then(drawing.drawVariants);
for (const [id, name] of [["vividness", "vividness"], ["temperature", "boldness"]]) {
  $(id).addEventListener("input", () => {
    stage.dragging = true;
    change(name, Number($(id).value), { settled: false });
  });
  $(id).addEventListener("change", () => {
    stage.dragging = changing = false;
    redraw();
  });
}
$("quality").addEventListener("change", () => change("quality", $("quality").checked ? "best" : "fast"));
$("reset").onclick = () => {
  hints.close();
  keep(page.now);
  reset(page.now);
  changedNow();
};
$("apply").onclick = () => {
  hints.close();
  for (const photo of page.photos)
    if (photo !== page.now) {
      keep(photo);
      photo.settings = { ...page.now.settings };
      photo.shownAt = photo.thumbAt = null;
      keeping.changed(photo);
    }
  say("These settings, without the hints, are those of all photos now.", "note");
  drawStrip();
  drawing.drawThumbs(transfer.isSending);
};
$("remove-photo").onclick = () => remove(page.now);
$("download").onclick = () => transfer.download([page.now]);
$("download-all").onclick = () => transfer.download(page.photos);
$("save-hints").onclick = () => transfer.saveHints(page.now);
$("format").onchange = () => {
  page.now.format = $("format").value;
  keeping.changed(page.now);
  show();
};
$("undo").onclick = () => go(true);
$("redo").onclick = () => go(false);
$("in").onclick = () => view.zoom(1.4);
$("out").onclick = () => view.zoom(1 / 1.4);
$("fit").onclick = view.fit;
$("percent").onclick = view.zoomToOwn;
$("bare").onclick = () => toggleMarks();
$("help").onclick = () => $("keys").showModal();
$("keys-close").onclick = () => $("keys").close();

function toggleMarks() {
  hints.close();
  $("bare").setAttribute("aria-pressed", $("view").toggleAttribute("data-bare"));
}

const tools = [...document.querySelectorAll(".tools [data-tool]")];
function setTool(name) {
  hints.close();
  for (const button of tools) {
    button.setAttribute("aria-checked", button.dataset.tool === name);
    button.tabIndex = button.dataset.tool === name ? 0 : -1;
  }
  view.setTool(name);
}
for (const button of tools) button.onclick = () => setTool(button.dataset.tool);

for (let variant = 1; variant <= VARIANTS; variant++) {
  const button = document.createElement("button");
  button.setAttribute("role", "radio");
  button.setAttribute("aria-label", variant === 1 ? "As predicted" : `Alternative ${variant}`);
  button.onclick = () => {
    change("variant", variant);
    button.focus();
  };
  $("variants").append(button);
}

// Arrows go round in a group of which one is chosen.
function rove(group, members, now) {
  group.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!way || !page.now) return;
    event.preventDefault();
    event.stopPropagation();
    const next = members[(now() + way + members.length) % members.length];
    next.click();
    next.focus();
  });
}
rove($("variants"), [...$("variants").children], () => page.now.settings.variant - 1);
rove(tools[0].parentElement, tools, () => tools.findIndex((one) => one.getAttribute("aria-checked") === "true"));

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
  transfer.add([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) transfer.add([...event.clipboardData.files]);
});

const TOOLS = { p: "point", s: "stroke", e: "erase", m: "move" };
const KEYS = {
  "+": () => view.zoom(1.4),
  "=": () => view.zoom(1.4),
  "-": () => view.zoom(1 / 1.4),
  0: () => view.fit(),
  1: () => view.zoomToOwn(),
  h: () => toggleMarks(),
  o: () => view.hold(true),
  "?": () => $("keys").showModal(),
  ",": () => step(-1),
  ".": () => step(1),
};
function step(by) {
  const next = page.photos[page.photos.indexOf(page.now) + by];
  if (next) open(next);
}
addEventListener("keydown", (event) => {
  if ($("keys").open || !page.now) return;
  const pressed = event.key.toLowerCase();
  if (pressed === "escape") return hints.close();
  if (event.target.matches("input:not([type=range]):not([type=checkbox]), select")) return;
  const held = event.ctrlKey || event.metaKey;
  if (held && pressed === "z") go(!event.shiftKey);
  else if (held && pressed === "y") go(false);
  else if (held || event.altKey) return;
  else if (Object.hasOwn(KEYS, pressed)) KEYS[pressed]();
  else if (Object.hasOwn(TOOLS, pressed) && page.server.hints) setTool(TOOLS[pressed]);
  else return;
  event.preventDefault();
});
addEventListener("keyup", (event) => event.key.toLowerCase() === "o" && view.hold(false));
addEventListener("blur", () => view.hold(false));

let swallowed = false; // this touch only closes the picker, or only shows the photo without color
addEventListener("pointerdown", (event) => {
  swallowed = false;
  if (!picker.isOpen() || event.target.closest("#picker, .mark, #handle, #undo")) return;
  swallowed = hints.isFresh() && !!event.target.closest("#view");
  hints.close();
}, true);

// Nothing is lost --------------------------------------------------------------------------

addEventListener("beforeunload", (event) => {
  if (keeping.isUnsaved() || transfer.isSending() || isWorking()) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) fetchPhotos().catch(() => {});
});
addEventListener("pageshow", (event) => event.persisted && fetchPhotos().catch(() => {}));
setInterval(() => engine.photos().catch(() => {}), HEARTBEAT);

stage.failed = failed;
stage.drawn = drawStrip;
const marked = { show, draw: () => {
  keeping.changed(page.now);
  if (stage.dragging) drawing.draw();
  else redraw();
} };
hints.start(marked);
transfer.start({ added, changed: (photo) => {
  keeping.changed(photo);
  if (photo === page.now) changedNow();
} });
view.start({
  tap: (place) => swallowed || (page.server.hints && hints.tap(place)),
  stroke: hints.stroke,
  move: hints.move,
  moved: () => {
    stage.dragging = false;
    marked.draw();
  },
  open: hints.choose,
  remove: hints.remove,
  viewed: drawing.lookSoon,
  pressed: () => swallowed,
});
picker.start({
  choose: hints.recolor,
  close: hints.close,
  keep: hints.keepAsItIs,
  remove: () => hints.remove(),
});

try {
  page.server = await engine.about();
  for (const part of document.querySelectorAll("[data-steers]")) part.hidden = !page.server.steers;
  $("format").replaceChildren(...Object.entries(page.server.formats).map(([end, name]) => new Option(name, end)));
  for (const part of document.querySelectorAll("[data-hints]")) part.hidden = !page.server.hints;
  if (!page.server.hints) {
    setTool("move");
    $("view").setAttribute("aria-label", "The photo");
  }
  for (const part of document.querySelectorAll(".local")) part.textContent = page.server.privacy;
  if (page.server.reads) $("reads").textContent = page.server.reads;
  await fetchPhotos();
} catch (error) {
  failed(error);
}
document.body.dataset.ready = "";
