// What colors the photos of the page: here a worker of the browser, and nobody else. It stands in for
// the module of this name that asks a server (colorizer/page/static).

import { Gone } from "./failures.js";
import * as messages from "./messages.js";
import { saveBlob } from "./saving.js";
import { marked } from "./xmp.js";
import { countOf } from "./worker/hints.js";
import { zip } from "./worker/zip.js";

const BASE = new URL("../", import.meta.url);
const CLAIMED = 30000; // milliseconds in which the service worker should be there
const BALANCE = ["warmth", "tint", "shadows", "highlights"];
const FULL = "There is no room to keep this page for when there is no network; it works as long as there is one.";

let model = null; // model/about.json
let worker = null;
let calls = 0;
const open = new Map(); // number of a call -> {done, failed, tell}
const held = new Map(); // id of a photo -> what the page knows of it, and its file's XMP
const palettes = new Map(); // id -> name

let begun = null;
let broken = null;
const started = new Promise((...ends) => ([begun, broken] = ends)); // photos may be dropped before
started.catch(() => {}); // `about` says it

async function ask(name, args = [], tell = () => {}) {
  await started;
  return new Promise((done, failed) => {
    const id = ++calls;
    open.set(id, { done, failed, tell });
    worker.postMessage({ id, name, args });
  });
}

function answered({ data: { id, value, told, error } }) {
  const call = open.get(id);
  if (told !== undefined) return call?.tell(told);
  open.delete(id);
  if (!error) return call?.done(value);
  if (error.gone) return call?.failed(Object.assign(new Gone(error.sentence), { id: error.gone }));
  if (!error.isPlain) console.warn(error.sentence);
  call?.failed(new Error(error.isPlain ? error.sentence : memory(error.sentence)));
}

const memory = (sentence) => `This went wrong inside the browser (${sentence}); is there memory enough for the photo?`;

function startWorker() {
  worker = new Worker(new URL("./worker/worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", answered);
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    const failure = new Error(`The worker of this page ended (${event.message || "it did not load"}); this browser may be too old, or short of memory.`);
    for (const { failed } of open.values()) failed(failure);
    open.clear();
    if (!event.message) return; // it never ran, and would not the next time
    startWorker();
    loadModel().catch(() => {});
  });
}

// The model, with a bar while it comes; where it fails, that is said when it is needed.
function loadModel() {
  const bar = messages.begin("Loading…");
  const megabytes = (count) => (count / 1e6).toFixed(1);
  const tell = ({ loaded, total }) =>
    loaded < total ? bar.tell(`Loading, once: ${megabytes(loaded)} of ${megabytes(total)} MB…`, loaded / total) : bar.tell("Starting…", null);
  return ask("start", [model], tell).finally(bar.end);
}

// The service worker keeps the page for when there is no network, and what is loaded through it.
async function keepForOffline() {
  const there = navigator.serviceWorker;
  if (!there) return;
  there.addEventListener("message", ({ data }) => data === "full" && messages.say(FULL, "note"));
  try {
    const registration = await there.register(new URL("sw.js", BASE), { scope: BASE.pathname });
    if (there.controller) return;
    await new Promise((done) => {
      there.addEventListener("controllerchange", done, { once: true });
      registration.installing?.addEventListener("statechange", ({ target }) => target.state === "redundant" && done());
      setTimeout(done, CLAIMED);
    });
  } catch {
    // private windows and full disks have none: the page works, but not offline
  }
}

// Whether what was said outlives the page that said it.
export const OUTLIVES = false;

export async function about() {
  try {
    return await begin();
  } catch (error) {
    broken(error);
    throw error;
  }
}

async function begin() {
  if (typeof OffscreenCanvas !== "function" || typeof DecompressionStream !== "function")
    throw new Error("This browser is too old to color photos by itself; take one of 2023 or later, or `colorizer serve`.");
  await keepForOffline();
  model = await readAbout();
  startWorker();
  begun();
  loadModel().catch(() => {}); // whoever needs it says so
  return {
    model: model.model,
    steers: model.takes.includes("prior"),
    hints: model.takes.includes("hints"),
    lends: model.takes.includes("prior") ? ["palette"] : [],
    temperature: model.temperature,
    formats: { ".png": "PNG", ".jpg": "JPEG" },
    most: 1e9,
    films: { why_none: "this page colors photos only; `colorizer video FILM COLORED` does it at the command line, and `colorizer serve` on a page." },
    privacy: "Photos stay in this browser: nothing is sent.",
    reads: "JPEG, PNG, WebP and what else your browser reads; results are JPEG or PNG with 8 bits.",
  };
}

async function readAbout() {
  const name = "model/about.json";
  const answer = await fetch(new URL(name, BASE)).catch(() => null);
  if (!answer) throw new Error("The network is away, and this page was never whole here; open it again when there is one.");
  if (!answer.ok) throw new Error(`${name} of this page is missing (${answer.status}); write it anew with \`colorizer site\`.`);
  const told = await answer.json();
  return { ...told, srgb: Uint8Array.from(atob(told.srgb), (c) => c.charCodeAt(0)) };
}

// A browser keeps nothing when the page is closed.
export const takeLeft = async () => {};
export const dropLeft = async () => {};

// Films are not for browsers.
const none = async () => {
  throw new Error("This page colors photos only.");
};
export { none as chooseFrame, none as forgetFilm, none as own, none as playShot, none as restoreFilm, none as saveFilm, none as saveShots, none as stopWork, none as uploadFilm, none as workOn };
export const films = async () => [];

export const photos = () => [...held.values()].filter(({ isRemoved }) => !isRemoved).map(({ told }) => told);

export async function upload(file, purpose = "") {
  const id = crypto.randomUUID();
  const { xmp, ...found } = await ask("add", [id, file, purpose === "palette"]);
  const told = { id, state: "", revision: 0, ...found };
  if (purpose === "palette") palettes.set(id, file.name);
  else held.set(id, { told, xmp, isRemoved: false });
  return told;
}

function photo(id) {
  const found = held.get(id);
  if (!found) throw Object.assign(new Gone("this photo is no longer here; add it again"), { id });
  return found;
}

export async function forget(id) {
  photo(id).isRemoved = true;
}

export async function restore(id) {
  photo(id).isRemoved = false;
  return photo(id).told;
}

export async function keep(id, state) {
  const { told } = photo(id);
  Object.assign(told, { state, revision: told.revision + 1 });
  return told;
}

export const gray = (id) => ask("gray", [id]);
export const preview = (id, told) => ask("preview", [id, told]);
export const region = (id, told) => ask("region", [id, { settings: {}, ...told }]);

export const suggest = (id, told) => ask("suggest", [id, told]);

// Colors at full size, then hands the file to the browser; `stop.now` becomes true to end it.
export async function download(wanted, progress, stop) {
  const [files, notes] = [[], []];
  for (const one of wanted) {
    const { told, xmp } = photo(one.id);
    const job = crypto.randomUUID();
    const tell = (share) => {
      progress(files.length + Math.min(share, 0.999), wanted.length);
      if (stop.now) ask("stop", [job]);
    };
    try {
      const mark = marked(xmp, `${model.system}, ${[...noted(one.settings), ...countOf(one.hints)].join(", ")}`, model.version, model.xmp);
      const made = await ask("render", [one.id, { settings: one.settings, hints: one.hints, format: one.format, xmp: mark.xmp, job }], tell);
      if (mark.isLost) notes.push(`${told.name}: a damaged XMP packet cannot be kept`);
      notes.push(...made.notes);
      files.push({ name: `${told.name.replace(/\.[^.]*$/, "")}-colored${one.format}`, blob: made.blob });
    } catch (error) {
      if (stop.now) return [];
      if (wanted.length === 1 || error instanceof Gone) throw error;
      notes.push(error.message);
    }
    if (stop.now) return [];
  }
  if (!files.length) throw new Error(notes.join("; "));
  progress(wanted.length, wanted.length);
  if (files.length === 1 && wanted.length === 1) saveBlob(files[0].blob, files[0].name);
  else saveBlob(await zip(files), "colored.zip");
  return notes;
}

// As `Options.noted` of colorizer/support/fields.py says it.
function noted({ vividness, temperature, variant, quality, palette, natural, ...others }) {
  const told = [`vividness ${Number(vividness.toPrecision(6))}`];
  if (temperature) told.push(`temperature ${Number(temperature.toPrecision(6))}`);
  if (palette) told.push(`palette ${palettes.get(palette)}`);
  if (variant > 1) told.push(`variant ${variant}`);
  if (quality === "best") told.push("quality best");
  for (const name of BALANCE) if (name in others) told.push(`${name} ${Number(others[name].toPrecision(6))}`);
  if (natural) told.push("natural");
  return told;
}
