// What colors the photos of the page: here it is asked of a server. Every failure is an Error with a
// sentence. The page as static files has another module of this name (colorizer/site/static).

import { Gone, Silent } from "./failures.js";
import { save } from "./saving.js";

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Silent("The page's server does not answer. Save your hints; then start `colorizer serve` again.");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  const sentence = told.error || `The server answered ${answer.status}.`;
  if (answer.status !== 404) throw new Error(sentence);
  throw Object.assign(new Gone(sentence), { id: told.id });
}

const send = (method, path, body, more = {}) =>
  ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...more });

// What it can do: `steers` and `hints` are whether it takes them.
// Whether what was said outlives the page that said it.
export const OUTLIVES = true;

export async function about() {
  const told = await (await ask("api/about")).json();
  const privacy = told.local
    ? `Photos stay on this machine${told.keeps ? `, for the next start too, at most ${told.keeps} days` : ""}.`
    : `Photos go to ${location.hostname} and nowhere else; on the way there they are not encrypted.`;
  return { ...told, hints: told.steers, privacy };
}

// What an earlier start has left: to go on with it, or to remove it.
export const takeLeft = async () => (await send("POST", "api/left", {})).json();
export const dropLeft = () => ask("api/left", { method: "DELETE" });

export const photos = async () => (await ask("api/photos")).json();

export const upload = async (file, purpose = "", salvage = false) =>
  (
    await ask(`api/photos?name=${encodeURIComponent(file.name || "pasted.png")}&for=${purpose}${salvage ? "&salvage=1" : ""}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: file,
    })
  ).json();

// Films: their key frames are photos of which `of` tells the film.
export const films = async () => (await ask("api/films")).json();

export const uploadFilm = async (file, fields = "") =>
  (
    await ask(`api/films?name=${encodeURIComponent(file.name)}&fields=${fields}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: file,
    })
  ).json();

// Another frame of a shot is to stand for it.
export const chooseFrame = (id, photo, frame) => send("POST", `api/films/${id}/frame`, { photo, frame });

export const forgetFilm = (id) => ask(`api/films/${id}`, { method: "DELETE" });
export const restoreFilm = async (id) => (await send("POST", `api/films/${id}/restore`, {})).json();
export const workOn = async (id, told) => (await send("POST", `api/films/${id}/work`, told)).json();
export const stopWork = (id) => ask(`api/films/${id}/work`, { method: "DELETE" });
export const saveFilm = (id, name) => save(`api/films/${id}/result`, name);

// Some seconds of a shot, as a Blob that a <video> plays; null if `stop.now` became true.
export async function playShot(id, told, progress, stop) {
  const job = await made(`api/films/${id}/preview`, told, progress, stop);
  return job && new Blob([await (await ask(`api/results/${job.file}`)).blob()], { type: "video/webm" });
}

// What is said of the shots of a film, as a ZIP for the command line.
export async function saveShots(id, shots, progress, stop) {
  const job = await made(`api/films/${id}/recipe`, { shots }, progress, stop);
  if (job) save(`api/results/${job.file}`, job.name);
}

// A frame of a film with the colors that it has.
export const own = async (id) => (await ask(`api/photos/${id}/own`)).blob();

export const forget = (id) => ask(`api/photos/${id}`, { method: "DELETE" });

export const restore = async (id) => (await send("POST", `api/photos/${id}/restore`, {})).json();

// `last`: the page is being closed.
export const keep = async (id, state, last) =>
  (await send("PUT", `api/photos/${id}/state`, { state }, { keepalive: last })).json();

export const gray = async (id) => (await ask(`api/photos/${id}/gray`)).blob();

// A picture, and sentences on it as its `notes`.
export async function preview(id, told) {
  const answer = await send("POST", `api/photos/${id}/preview`, told);
  const notes = JSON.parse(answer.headers.get("X-Colorizer-Notes") || "[]");
  return Object.assign(await answer.blob(), { notes });
}

export const region = async (id, told) => (await send("POST", `api/photos/${id}/region`, told)).blob();

export const suggest = async (id, told) => (await send("POST", `api/photos/${id}/suggest`, told)).json();

// Begins a work that makes a file, and follows it to its end; null if it was stopped.
async function made(path, told, progress, stop) {
  const { id } = await (await send("POST", path, told)).json();
  for (let wait = 100; ; wait = Math.min(1000, wait * 1.3)) {
    await new Promise((done) => setTimeout(done, wait));
    if (stop.now) {
      await ask(`api/downloads/${id}`, { method: "DELETE" });
      return null;
    }
    const job = await (await ask(`api/downloads/${id}`)).json();
    progress(job.done, job.total);
    if (job.error) throw new Error(job.error);
    if (job.file) return job;
  }
}

// Colors at full size, then hands the file to the browser; `stop.now` becomes true to end it.
export async function download(wanted, progress, stop) {
  const job = await made("api/downloads", { photos: wanted }, progress, stop);
  if (!job) return [];
  save(`api/results/${job.file}`, job.name);
  return job.notes;
}
