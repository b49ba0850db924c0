// Films: sent, read for their shots, played, colored. The engine does it; here it is said and shown.

import * as engine from "./engine.js";
import { begin, say } from "./messages.js";
import { create, filmOf, page, read, saidOf, stemOf } from "./photo.js";
import * as keeping from "./keeping.js";

const $ = (id) => document.getElementById(id);
const OFTEN = 700; // milliseconds between two questions while a film is in work
const NAMES = /\.(mp4|m4v|mov|mkv|webm|avi|ts|m2ts|mts|mpe?g|vob|mxf|wmv|asf|flv|ogv|3gp|dv)$/i;
const DOING = { reading: "Reading", looking: "Looking through", coloring: "Coloring", "key frames": "Preparing the key frames of" };
let acts = {}; // arrived(film), left(film), drawn()

export const isFilm = (file) => file.type.startsWith("video/") || NAMES.test(file.name);

// 754.2 is "12:34.2".
function clock(seconds, digits = 0) {
  const rounded = Number(seconds.toFixed(digits));
  const minutes = Math.floor(rounded / 60);
  const rest = (rounded - 60 * minutes).toFixed(digits);
  const hours = Math.floor(minutes / 60);
  const two = (text) => String(text).padStart(2, "0");
  const end = rest.padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${two(minutes % 60)}:${end}` : `${minutes}:${end}`;
}

function inWords(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds / 5) * 5)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// Coming and going -------------------------------------------------------------------------

export async function send(file, fields = "") {
  const { why_none, most } = page.server.films;
  if (why_none) return say(`${file.name} is a film: ${why_none}`);
  if (file.size > most) {
    const limit = Math.round(most / 2 ** 20).toLocaleString("en");
    return say(`${file.name} is over the limit of ${limit} MB for one film; \`colorizer video\` on the command line has none.`);
  }
  const bar = begin(`Sending ${file.name}…`);
  try {
    merge([await engine.uploadFilm(file, fields)], false);
    watch();
  } catch (error) {
    const again = (how) => () => send(file, how);
    const asked = !fields && /interlaced/.test(error.message);
    say(
      error.message,
      "",
      asked && ["Make whole frames of its fields", again("deinterlace")],
      asked && ["Its frames are whole", again("progressive")],
    );
  }
  bar.end();
}

// What the engine says of films; `photos` are those of the key frames, by their ids.
export function merge(told, isAll = true, photos = new Map()) {
  for (const one of told) {
    const { shots, ...known } = one;
    let film = page.films.find(({ id }) => id === one.id);
    if (!film) {
      film = { shots: [] };
      page.films.push(film);
    }
    const before = { ...film };
    Object.assign(film, known, { format: film.chosen || one.format });
    if (shots.length && shots.every(({ photo }) => photos.has(photo))) {
      const isNew = !film.shots.length;
      shots.forEach((shot, i) => {
        const was = film.shots[i];
        if (was?.id === shot.photo) return;
        film.shots[i] = shotOf(photos.get(shot.photo), shot, i, shots.length);
        if (was) acts.replaced(was, film.shots[i]);
      });
      if (isNew) acts.arrived(film, !!before.id);
    }
    tell(film, before);
  }
  if (isAll)
    for (const film of page.films.filter(({ id }) => !told.some((one) => one.id === id))) gone(film);
}

function shotOf(told, shot, i, count) {
  const when = clock(shot.time);
  const photo = create({ ...told, shot });
  const long = `${shot.seconds.toFixed(1)} s`;
  return Object.assign(photo, { when: `${when} · ${long}`, label: `Shot ${i + 1} of ${count}, ${when}, ${long}` });
}

export function refresh(film, photos, changed) {
  for (const photo of film.shots) {
    const told = photos.get(photo.id);
    if (!told || told.revision <= photo.revision || keeping.isDue(photo)) continue;
    read(photo, told.state);
    photo.revision = told.revision;
    changed(photo);
  }
}

// What has come to an end.
function tell(film, before) {
  if (film.reading?.error && !before.reading?.error) {
    say(film.reading.error);
    engine.forgetFilm(film.id).catch(() => {});
    gone(film);
  } else if (film.work?.error && !before.work?.error) say(film.work.error);
  else if (before.work && !film.work && film.result)
    say(`${film.name} is colored.`, "note", ["Download it", () => engine.saveFilm(film.id, film.result.name)]);
}

function gone(film) {
  page.films = page.films.filter((one) => one !== film);
  acts.left(film);
}

export async function remove(film) {
  try {
    await engine.forgetFilm(film.id);
  } catch (error) {
    return say(error.message);
  }
  gone(film);
  const back = async () => {
    await engine.restoreFilm(film.id);
    await acts.fetch();
    watch();
  };
  say(`${film.name} was removed.`, "note", ["Bring it back", () => back().catch((error) => say(error.message))]);
}

// How far they are -------------------------------------------------------------------------

const isBusy = ({ reading, work }) => [reading, work].some((one) => one && !one.error);

let watching = 0;
export function watch() {
  clearTimeout(watching);
  show();
  if (!page.films.some(isBusy)) return;
  watching = setTimeout(async () => {
    try {
      const unread = page.films.filter(({ shots }) => !shots.length).map(({ id }) => id);
      const told = await engine.films();
      if (told.some(({ id, shots }) => unread.includes(id) && shots.length)) await acts.fetch();
      else merge(told);
    } catch {
      // it is asked again
    }
    watch();
  }, OFTEN);
}

function words({ name, reading, work }) {
  const { what, done, total, left, stopping } = reading || work;
  if (stopping) return `Stopping ${name}…`;
  if (what === "waiting") return reading ? `${name} waits to be read.` : `${name} waits: one film is colored at a time.`;
  const many = what === "coloring" && total ? `: ${done.toLocaleString("en")} of ${total.toLocaleString("en")} frames` : total ? `: ${Math.floor((100 * done) / total)} %` : "";
  return `${DOING[what] || what} ${name}${many}${left === null ? "…" : `, ${inWords(left)} left`}`;
}

const lines = new Map(); // film -> element

function show() {
  const busy = page.films.filter(isBusy);
  for (const [film, line] of lines)
    if (!busy.includes(film)) {
      line.remove();
      lines.delete(film);
    }
  for (const film of busy) {
    if (!lines.has(film)) lines.set(film, createLine(film));
    const [text, bar] = lines.get(film).children;
    const { done, total } = film.reading || film.work;
    text.textContent = words(film);
    if (total) bar.value = done / total;
    else bar.removeAttribute("value");
  }
  $("courses").hidden = !busy.length;
  showFilm();
}

function createLine(film) {
  const line = document.createElement("li");
  const text = document.createElement("span");
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.setAttribute("aria-label", film.name);
  const stop = document.createElement("button");
  stop.className = "button small";
  stop.textContent = "Stop";
  stop.setAttribute("aria-label", `Stop ${film.name}`);
  stop.onclick = () => (film.reading ? remove(film) : halt(film));
  line.append(text, bar, stop);
  $("courses").append(line);
  return line;
}

// The film on the stage --------------------------------------------------------------------

export function showFilm() {
  const film = filmOf(page.now);
  $("film").hidden = !film;
  for (const id of ["film-format-row", "film-start", "film-save"]) $(id).hidden = true;
  $("remove-photo").textContent = film ? "Remove the film" : "Remove the photo";
  $("apply").textContent = film ? "Apply to all shots" : "Apply to all photos";
  if (!film) return;
  const works = isBusy(film);
  $("film-format-row").hidden = works;
  $("film-format").value = film.format;
  $("film-start").hidden = works || !!film.result;
  const [word, rest] = $("film-start").children;
  word.textContent = film.unfinished ? "Go on" : "Color";
  rest.hidden = film.unfinished;
  $("film-save").hidden = works || !film.result;
  $("film-anew").hidden = works || !film.result;
  $("film-anew").textContent = film.unfinished ? "Go on coloring it anew" : "Color it anew";
  $("film-name").textContent = film.name;
  const { rate, frames, shots } = film;
  const length = clock(shots.reduce((sum, { shot }) => sum + shot.seconds, 0));
  $("film-about").textContent = `${film.width} × ${film.height} pixels, ${frames.toLocaleString("en")} frames, ${Number(rate.toFixed(3))} a second, ${length}; ${shots.length} shot${shots.length > 1 ? "s" : ""}.`;
  const notes = film.result && !works ? film.result.notes : film.notes;
  if ($("film-notes").dataset.told !== notes.join())
    $("film-notes").replaceChildren(...notes.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  $("film-notes").dataset.told = notes.join();
  const { shot, label, settings } = page.now;
  if (document.activeElement !== $("frame") || Number($("frame").min) !== shot.first) showFrame(shot);
  $("frame").disabled = works;
  $("shot-play").textContent = settings.leave ? "Play this shot" : "Play this shot in color";
  $("shot-name").textContent = label.split(",")[0];
  $("shot-about").textContent = `From ${clock(shot.time, 1)}, ${shot.seconds.toFixed(1)} s, ${shot.count.toLocaleString("en")} frames.${shot.in_color ? " It has colors of its own." : ""}${shot.title ? " It looks like a title." : ""}`;
}

function showFrame({ first, count, key, time, seconds }, frame = key) {
  $("frame-row").hidden = count < 2;
  Object.assign($("frame"), { min: first, max: first + count - 1, value: frame });
  $("frame").setAttribute("aria-valuetext", `frame ${frame}`);
  document.querySelector("output[for=frame]").value = `${frame.toLocaleString("en")}, at ${clock(time + (seconds * (frame - first)) / count, 1)}`;
}

async function chooseFrame() {
  const photo = page.now;
  $("frame").disabled = true;
  try {
    await saved();
    await engine.chooseFrame(photo.of, photo.id, Number($("frame").value));
    await acts.fetch();
  } catch (error) {
    say(error.message);
    showFilm();
  }
  $("frame").disabled = false;
}

// Until the server has all that was said.
async function saved() {
  while (keeping.isUnsaved()) await new Promise((done) => setTimeout(done, 50));
}

async function start(film) {
  try {
    await saved();
    merge([await engine.workOn(film.id, { shots: film.shots.map(saidOf), format: film.format })], false);
  } catch (error) {
    say(error.message);
  }
  watch();
}

async function halt(film) {
  try {
    await engine.stopWork(film.id);
    film.work.stopping = true;
  } catch (error) {
    say(error.message);
  }
  watch();
}

// A file that is made of shots, with a bar that can end it.
async function making(text, task) {
  const stop = { now: false };
  const bar = begin(text, () => {
    stop.now = true;
    bar.tell("Stopping…", null);
  });
  try {
    return await task((done, total) => stop.now || bar.tell(text, done / total), stop);
  } catch (error) {
    say(error.message);
    return null;
  } finally {
    bar.end();
  }
}

async function play() {
  const photo = page.now;
  const film = filmOf(photo);
  const shown = await making("Coloring some seconds of the shot…", (far, stop) => engine.playShot(film.id, saidOf(photo), far, stop));
  if (!shown) return;
  $("play-title").textContent = photo.label.split(",")[0];
  $("play-words").textContent = photo.shot.seconds > 4.1 ? `4 of ${photo.shot.seconds.toFixed(1)} seconds, round the frame that stands for it; without sound.` : "Without sound.";
  if ($("played").src) URL.revokeObjectURL($("played").src);
  $("played").src = URL.createObjectURL(shown);
  $("play").showModal();
  $("played").play().catch(() => {}); // its controls are there
}

export function begun(handlers) {
  acts = handlers;
  const { why_none, formats = {} } = page.server.films;
  if (!why_none) $("reads").textContent += " Films, too.";
  $("film-format").replaceChildren(...Object.entries(formats).map(([key, name]) => new Option(name, key)));
  $("film-format").addEventListener("change", () => {
    const film = filmOf(page.now);
    film.format = film.chosen = $("film-format").value;
    acts.drawn();
  });
  $("film-start").onclick = $("film-anew").onclick = () => start(filmOf(page.now));
  $("film-save").onclick = () => engine.saveFilm(filmOf(page.now).id, filmOf(page.now).result.name);
  $("shot-play").onclick = play;
  $("frame").addEventListener("input", () => showFrame(page.now.shot, Number($("frame").value)));
  $("frame").addEventListener("change", chooseFrame);
  $("save-shots").onclick = () => {
    const film = filmOf(page.now);
    making(`Coloring the key frames of ${stemOf(film.name)}…`, (far, stop) => engine.saveShots(film.id, film.shots.map(saidOf), far, stop));
  };
  $("play-close").onclick = () => $("play").close();
  $("play").addEventListener("close", () => $("played").pause());
  $("played").addEventListener("error", () => {
    if ($("play").open) $("play-words").textContent = "This browser does not play WebM (VP9), in which the shot is made; the work itself does not depend on it.";
  });
}
