// The page: its photos, what is asked for each, and what happens when.

import * as api from "./api.js";
import * as color from "./color.js";
import * as picker from "./picker.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
const VARIANTS = 6;
const PLAIN = { vividness: 1, boldness: 0, variant: 1, quality: "fast", palette: null };

let server = { steers: false, temperature: 1, formats: {}, most: 0 };
let photos = [];
let now = null; // the photo on the stage
let chosen = -1; // the hint whose color is being chosen
let fresh = false; // whether that hint has no color of the user's yet

// Photos -----------------------------------------------------------------------------------

async function add(files) {
  for (const file of [...files]) {
    if (!file.size) {
      say(`${file.name} is empty (0 bytes).`);
      continue;
    }
    busy(true, `Reading ${file.name}…`);
    try {
      const told = await api.upload(file);
      const photo = { ...told, file, settings: { ...PLAIN }, hints: [], past: [], future: [] };
      photos.push(photo);
      photo.grayAt = URL.createObjectURL(await api.gray(photo.id));
      await open(photo);
    } catch (error) {
      say(error.message);
    }
    busy(false);
  }
}

// Asks again with the file itself if the server has let go of it.
async function withPhoto(photo, work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof api.Gone)) throw error;
    photo.id = (await api.upload(photo.file)).id;
    return work();
  }
}

async function open(photo) {
  now = photo;
  closePicker();
  document.body.removeAttribute("data-empty");
  $("drop").hidden = true;
  for (const id of ["stage", "panel", "download"]) $(id).hidden = false;
  document.querySelector(".format").hidden = false;
  $("before").src = photo.grayAt;
  $("after").src = photo.shownAt || photo.grayAt;
  $("after").alt = `${photo.name}, colored`;
  view.show(...photo.shown);
  $("format").value = photo.format ||= formatOf(photo);
  showNotes();
  show();
  await draw();
  drawVariants();
}

const formatOf = ({ name, bits }) => {
  const end = name.split(".").pop().toLowerCase();
  const own = { tif: ".tif", tiff: ".tif", png: ".png", webp: ".webp", avif: ".avif" }[end];
  return own || (bits > 8 ? ".tif" : ".jpg");
};

function remove(photo) {
  api.forget(photo.id);
  photos = photos.filter((one) => one !== photo);
  if (photo !== now) return strip();
  if (photos.length) return open(photos[0]);
  now = null;
  closePicker();
  document.body.dataset.empty = "";
  $("drop").hidden = false;
  for (const id of ["stage", "panel", "download", "download-all", "save-hints", "strip"]) $(id).hidden = true;
  document.querySelector(".format").hidden = true;
}

// What is told to the engine ---------------------------------------------------------------

function settingsOf({ settings }) {
  const { vividness, boldness, variant, quality, palette } = settings;
  const told = { vividness, quality };
  if (!server.steers) return told;
  if (boldness) told.temperature = temperatureOf(boldness);
  if (variant > 1) told.variant = variant;
  if (palette) told.palette = palette.id;
  return told;
}

const temperatureOf = (boldness) =>
  Number(Math.min(10, Math.max(0.02, server.temperature * 4 ** -boldness)).toFixed(3));

const round = (value) => Number(value.toFixed(5));
const hintsOf = (photo) => ({
  version: 1,
  hints: photo.hints.map((hint) =>
    hint.at
      ? { at: hint.at.map(round), color: hint.color }
      : { stroke: hint.stroke.map((place) => place.map(round)), color: hint.color },
  ),
});
const toldOf = (photo) => ({
  settings: settingsOf(photo),
  hints: photo.hints.length ? hintsOf(photo) : null,
});

// Drawing: one request at a time; what changes meanwhile is drawn after it ------------------

let drawing = null;
let again = false;

function draw() {
  again = true;
  drawing ||= work().finally(() => (drawing = null));
  return drawing;
}

// A large photo is shown at half its size first, so that a change is seen at once.
function sizesFor({ shown }) {
  if (dragging) return ["small"];
  return shown[0] * shown[1] > 800_000 ? ["small", "whole"] : ["whole"];
}

async function work() {
  const slow = setTimeout(() => ($("working").hidden = false), 400);
  try {
    while (again && now) {
      again = false;
      const photo = now;
      for (const size of sizesFor(photo)) {
        const told = { ...toldOf(photo), size };
        const blob = await withPhoto(photo, () => api.preview(photo.id, told));
        if (photo.shownAt) URL.revokeObjectURL(photo.shownAt);
        photo.shownAt = URL.createObjectURL(blob);
        if (photo === now) $("after").src = photo.shownAt;
        if (again) break; // it has changed meanwhile
      }
    }
  } catch (error) {
    say(error.message);
  } finally {
    clearTimeout(slow);
    $("working").hidden = true;
    strip();
  }
}

async function drawVariants() {
  const photo = now;
  if (!server.steers || photo.variantsOf === key(photo)) return;
  photo.variantsOf = key(photo);
  const buttons = $("variants").children;
  for (let variant = 1; variant <= VARIANTS; variant++) {
    if (photo !== now) return (photo.variantsOf = null);
    const settings = { ...settingsOf(photo), variant, quality: "fast" };
    const told = { settings, hints: toldOf(photo).hints, size: "thumbnail" };
    try {
      const blob = await withPhoto(photo, () => api.preview(photo.id, told));
      const image = new Image();
      image.alt = "";
      image.src = URL.createObjectURL(blob);
      image.onload = () => URL.revokeObjectURL(image.src);
      if (photo === now) buttons[variant - 1].replaceChildren(image);
    } catch {
      return; // the stage has said it
    }
  }
}
const key = ({ id, settings }) => JSON.stringify([id, settings.vividness, settings.boldness, settings.palette?.id]);

// Changes, and back ------------------------------------------------------------------------

const state = (photo) => JSON.stringify([photo.settings, photo.hints]);

function keep() {
  const before = state(now);
  if (now.past.at(-1) !== before) now.past.push(before);
  now.future = [];
}

function travel(from, to) {
  if (!now || !from.length) return;
  closePicker();
  const current = state(now);
  let next = from.pop();
  while (next === current && from.length) next = from.pop();
  if (next === current) return;
  to.push(current);
  [now.settings, now.hints] = JSON.parse(next);
  show();
  draw().then(drawVariants);
}
const undo = () => now && travel(now.past, now.future);
const redo = () => now && travel(now.future, now.past);

function show() {
  const { settings } = now;
  $("vividness").value = settings.vividness;
  $("temperature").value = settings.boldness;
  $("quality").checked = settings.quality === "best";
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
  $("undo").disabled = !now.past.length;
  $("redo").disabled = !now.future.length;
  $("apply").hidden = $("download-all").hidden = photos.length < 2;
  $("save-hints").hidden = !now.hints.length;
  $("tip").hidden = !server.steers || now.hints.length > 0;
  $("command").textContent = command(now);
  view.drawMarks(now.hints, chosen);
}

function command(photo) {
  const quote = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const { settings } = photo;
  const told = settingsOf(photo);
  const stem = photo.name.replace(/\.[^.]*$/, "");
  const words = ["colorizer", "colorize", quote(photo.name), "-o", quote(`${stem}-colored${photo.format}`)];
  if (server.model) words.push("--model", quote(server.model));
  if (told.vividness !== 1) words.push("--vividness", told.vividness);
  if (told.temperature) words.push("--temperature", told.temperature);
  if (settings.palette) words.push("--palette", quote(settings.palette.name));
  if (told.quality === "best") words.push("--quality", "best");
  if (photo.hints.length) words.push("--hints", quote(`${stem}-hints.json`));
  if (told.variant) words.push("--variants", told.variant, `# writes ${told.variant} files; the last is this one`);
  return words.join(" ");
}

function change(name, value, { settled = true } = {}) {
  if (!changing) keep();
  changing = !settled;
  now.settings[name] = value;
  show();
  return draw();
}
let changing = false;

// Hints ------------------------------------------------------------------------------------

let dragging = false;
let colored = null; // a canvas with the picture, for the color that a new hint starts from

async function tap(place) {
  if (!server.steers) return say(`The model ${server.model} takes no hints.`);
  await begin({ at: place, color: await underneath(place) });
}

async function begin(hint) {
  closePicker();
  keep();
  now.hints.push(hint);
  fresh = true;
  await choose(now.hints.length - 1);
}

async function underneath([x, y]) {
  await $("after").decode().catch(() => {});
  colored ||= document.createElement("canvas");
  colored.width = colored.height = 1;
  const image = $("after");
  const pen = colored.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, Math.floor(x * image.naturalWidth), Math.floor(y * image.naturalHeight), 1, 1, 0, 0, 1, 1);
  return "#" + [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((c) => c.toString(16).padStart(2, "0")).join("");
}

async function choose(number) {
  chosen = number;
  const photo = now;
  const hint = photo.hints[number];
  const place = hint.at || hint.stroke[Math.floor(hint.stroke.length / 2)];
  show();
  picker.open(color.lab(hint.color)[0], hint.color, view.toClient(place));
  try {
    const told = { settings: settingsOf(photo), x: place[0], y: place[1] };
    const found = await withPhoto(photo, () => api.suggest(photo.id, told));
    if (photo !== now || chosen !== number) return;
    picker.setLightness(found.L);
    picker.suggest(found.colors);
    $("suggested").firstChild?.focus();
  } catch (error) {
    say(error.message);
  }
}

function recolor(value, settled) {
  if (chosen < 0) return;
  if (!fresh && !changing) keep();
  changing = !settled;
  fresh = false;
  dragging = !settled;
  now.hints[chosen].color = value;
  if (settled) picker.remember(value);
  show();
  draw();
}

function closePicker() {
  if (!picker.isOpen()) return;
  picker.close();
  const number = chosen;
  chosen = -1;
  if (fresh && now) {
    now.hints.splice(number, 1); // nothing was said
    now.past.pop();
  }
  fresh = changing = dragging = false;
  if (now) show();
}

function removeHint(number) {
  if (fresh && number === chosen) return closePicker();
  closePicker();
  keep();
  now.hints.splice(number, 1);
  show();
  draw();
}

function moveHint(number, to, first) {
  if (first) {
    closePicker();
    keep();
  }
  dragging = true;
  const hint = now.hints[number];
  if (hint.at) hint.at = to;
  else {
    const [x, y] = [to[0] - hint.stroke[0][0], to[1] - hint.stroke[0][1]];
    const inside = (value) => Math.min(1, Math.max(0, value));
    hint.stroke = hint.stroke.map((place) => [inside(place[0] + x), inside(place[1] + y)]);
  }
  show();
  draw();
}

let stroke = null;
function drawStroke(path, done) {
  if (!server.steers) return;
  if (!done) {
    view.drawMarks([...now.hints, { stroke: path, color: "#ffffff" }], -1);
    return;
  }
  stroke = path.map((place) => [...place]);
  underneath(stroke[Math.floor(stroke.length / 2)]).then((under) => begin({ stroke, color: under }));
}

// Downloads --------------------------------------------------------------------------------

async function download(list) {
  const bar = $("progress");
  const [words, amount] = [bar.querySelector("span"), bar.querySelector("progress")];
  const many = list.length > 1;
  bar.hidden = false;
  words.textContent = many ? `Coloring ${list.length} photos at full size…` : "Coloring at full size…";
  amount.removeAttribute("value");
  try {
    for (const photo of list) await withPhoto(photo, () => api.gray(photo.id));
    const wanted = list.map((photo) => ({ id: photo.id, ...toldOf(photo) }));
    const notes = await api.download(wanted, $("format").value, (done, total) => {
      if (total < 2) return;
      amount.max = total;
      amount.value = done;
      words.textContent = `${done} of ${total} at full size…`;
    });
    for (const note of new Set(notes)) say(note, "note");
  } catch (error) {
    say(error.message);
  }
  bar.hidden = true;
}

function saveHints() {
  const text = JSON.stringify(hintsOf(now), null, 1);
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  api.save(address, `${now.name.replace(/\.[^.]*$/, "")}-hints.json`);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// The rest ---------------------------------------------------------------------------------

function strip() {
  $("strip").hidden = photos.length < 2;
  $("strip").replaceChildren(
    ...photos.map((photo) => {
      const item = document.createElement("div");
      item.className = "thumb";
      item.setAttribute("aria-current", photo === now);
      const button = document.createElement("button");
      button.setAttribute("aria-label", photo.name);
      button.title = photo.name;
      const image = new Image();
      image.alt = "";
      image.src = photo.shownAt || photo.grayAt || "";
      button.append(image);
      button.onclick = () => photo !== now && open(photo);
      const off = document.createElement("button");
      off.className = "icon";
      off.textContent = "×";
      off.setAttribute("aria-label", `Remove ${photo.name}`);
      off.onclick = () => remove(photo);
      item.append(button, off);
      return item;
    }),
  );
}

function showNotes() {
  const size = `${now.width.toLocaleString("en")} × ${now.height.toLocaleString("en")} pixels, ${now.bits} bits`;
  $("notes").replaceChildren(
    ...[`${now.name}: ${size}`, ...now.notes].map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
}

function say(text, kind = "") {
  const message = document.createElement("div");
  message.className = `message ${kind}`;
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.className = "icon";
  close.textContent = "×";
  close.setAttribute("aria-label", "Close this message");
  close.onclick = () => message.remove();
  message.append(words, close);
  $("messages").append(message);
  setTimeout(() => message.remove(), 12000);
}

function busy(is, text = "") {
  $("progress").hidden = !is;
  $("progress").querySelector("span").textContent = text;
  $("progress").querySelector("progress").removeAttribute("value");
}

function setTool(name) {
  closePicker();
  for (const button of document.querySelectorAll("[data-tool]"))
    if (button.role === "radio") button.setAttribute("aria-checked", button.dataset.tool === name);
  view.setTool(name);
}

async function setPalette(file) {
  try {
    const told = await api.upload(file);
    await change("palette", { id: told.id, name: told.name });
    drawVariants();
  } catch (error) {
    say(error.message);
  }
}

for (const id of ["files", "files-too"])
  $(id).addEventListener("change", ({ target }) => {
    add(target.files);
    target.value = "";
  });
$("palette").addEventListener("change", ({ target }) => {
  if (target.files[0]) setPalette(target.files[0]);
  target.value = "";
});
$("palette-off").onclick = () => change("palette", null).then(drawVariants);
for (const [id, name] of [["vividness", "vividness"], ["temperature", "boldness"]]) {
  $(id).addEventListener("input", () => {
    dragging = true;
    change(name, Number($(id).value), { settled: false });
  });
  $(id).addEventListener("change", () => {
    dragging = changing = false;
    draw().then(drawVariants);
  });
}
$("quality").addEventListener("change", () => change("quality", $("quality").checked ? "best" : "fast"));
$("reset").onclick = () => {
  closePicker();
  keep();
  Object.assign(now, { settings: { ...PLAIN }, hints: [] });
  show();
  draw().then(drawVariants);
};
$("apply").onclick = () => {
  for (const photo of photos) if (photo !== now) {
    photo.past.push(state(photo));
    photo.settings = { ...now.settings };
    photo.shownAt = null;
  }
  say("These settings, without the hints, are those of all photos now.", "note");
  strip();
};
$("download").onclick = () => download([now]);
$("download-all").onclick = () => download(photos);
$("save-hints").onclick = saveHints;
$("format").onchange = () => {
  now.format = $("format").value;
  show();
};
$("undo").onclick = undo;
$("redo").onclick = redo;
$("in").onclick = () => view.zoom(1.4);
$("out").onclick = () => view.zoom(1 / 1.4);
$("fit").onclick = view.fit;
for (const button of document.querySelectorAll(".tools [data-tool]"))
  button.onclick = () => setTool(button.dataset.tool);

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
$("variants").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !now) return;
  event.preventDefault();
  $("variants").children[(now.settings.variant - 1 + step + VARIANTS) % VARIANTS].click();
});

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
  add(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) add(event.clipboardData.files);
});
addEventListener("keydown", (event) => {
  if (event.target.matches("input:not([type=range]):not([type=checkbox]), select") || !now) return;
  const command = event.ctrlKey || event.metaKey;
  const pressed = event.key.toLowerCase();
  if (command && pressed === "z") event.shiftKey ? redo() : undo();
  else if (command && pressed === "y") redo();
  else if (command || event.altKey) return;
  else if (pressed === "+" || pressed === "=") view.zoom(1.4);
  else if (pressed === "-") view.zoom(1 / 1.4);
  else if (pressed === "0") view.fit();
  else if (pressed === "escape") closePicker();
  else {
    const tool = { p: "point", s: "stroke", e: "erase", m: "move" }[pressed];
    if (!tool) return;
    setTool(tool);
  }
  event.preventDefault();
});
addEventListener("pointerdown", (event) => {
  if (picker.isOpen() && !event.target.closest("#picker, .mark, #handle")) {
    swallowed = !!event.target.closest("#view");
    closePicker();
  } else swallowed = false;
}, true);
let swallowed = false;

view.start({
  tap: (place) => swallowed || tap(place),
  stroke: drawStroke,
  move: moveHint,
  moved: () => {
    dragging = false;
    draw();
  },
  open: (number) => choose(number),
  remove: removeHint,
});
picker.start({
  choose: (value, settled) => recolor(value, settled),
  close: closePicker,
  remove: () => removeHint(chosen),
});

server = await api.about();
for (const part of document.querySelectorAll("[data-steers]")) part.hidden = !server.steers;
$("format").replaceChildren(...Object.entries(server.formats).map(([end, name]) => new Option(name, end)));
document.body.dataset.ready = "";
