// Photos and hints that come, and files that go.

import * as engine from "./engine.js";
import { Gone } from "./failures.js";
import * as films from "./films.js";
import * as keeping from "./keeping.js";
import { begin, say } from "./messages.js";
import { keep } from "./history.js";
import { create, hasHints, hintsOf, labelOf, page, readHints, rowOf, settingsOf, stemOf, wantedOf } from "./photo.js";
import { saveBlob } from "./saving.js";
import { withPhoto } from "./stage.js";

const AT_ONCE = 2;
const queue = []; // files that are to be sent, in the order in which they are to stand
let count = 0; // of this run: how many there are, how many are done
let done = 0;
let sending = 0;
let work = null;
let acts = {}; // added(photo), changed(photo)

export function start(handlers) {
  acts = handlers;
}

export const isSending = () => sending + queue.length > 0;

// Takes what was dropped, pasted or chosen.
export async function add(files) {
  const photos = [];
  const hints = [];
  const reels = [];
  for (const file of files) {
    if (!file.size) say(`${file.name} is empty (0 bytes).`);
    else if (/\.json$/i.test(file.name)) hints.push(file);
    else if (films.isFilm(file)) reels.push(file);
    else if (file.size > page.server.most)
      say(`${file.name} is over the limit of ${Math.round(page.server.most / 2 ** 20).toLocaleString("en")} MB for one photo.`);
    else photos.push(file);
  }
  await Promise.all(photos.map((file) => new Promise((ended) => enter(file, ended))));
  for (const file of reels) await films.send(file);
  for (const file of hints) await addHints(file);
}

let number = 0;
function enter(file, ended, salvage = false) {
  queue.push({ file, place: ++number, ended, salvage });
  count += 1;
  work ||= begin("");
  pump();
}

function pump() {
  tell();
  while (sending < AT_ONCE && queue.length) send(queue.shift());
  if (sending + queue.length) return;
  work?.end();
  work = null;
  count = done = 0;
}

function tell() {
  if (count === 1) work?.tell("Reading the photo…", null);
  else work?.tell(`Reading photos: ${done} of ${count}…`, done / count);
}

async function send({ file, place, ended, salvage }) {
  sending += 1;
  try {
    const photo = Object.assign(create(await engine.upload(file, "", salvage), file), { place });
    const after = page.photos.findIndex((one) => one.place > place);
    page.photos.splice(after < 0 ? page.photos.length : after, 0, photo);
    acts.added(photo);
  } catch (error) {
    const salvaged = () => enter(file, () => {}, true);
    say(error.message, "", !salvage && /what can be read/.test(error.message) ? ["Take what can be read", salvaged] : null);
  }
  sending -= 1;
  done += 1;
  pump();
  ended();
}

// Hints belong to the photo of their name, or else to the one on the stage.
async function addHints(file) {
  if (!page.server.hints) return say(`${file.name}: this page takes no hints; \`colorizer serve\` does, with a model that does.`);
  const stem = file.name.replace(/\.json$/i, "").replace(/-hints$/i, "");
  const photo = [...page.photos, ...rowOf(page.now)].find((one) => stemOf(one.name) === stem) || page.now;
  if (!photo) return say(`${file.name}: add its photo first.`);
  try {
    const found = readHints(await file.text());
    const hints = hintsOf({ ...photo, ...found });
    await withPhoto(photo, () => engine.preview(photo.id, { settings: settingsOf(photo), hints, size: "thumbnail" }));
    keep(photo);
    Object.assign(photo, found);
    const more = found.unseen.length;
    const told = more ? `; ${more} more, of other pages, are not shown, but count` : "";
    say(`${file.name}: ${found.hints.length + found.regions.length} hints for ${labelOf(photo)}${told}.`, "note");
    acts.changed(photo);
  } catch (error) {
    const reason = error instanceof SyntaxError ? "it is no valid JSON" : error.message;
    say(`${file.name} is no file of hints: ${reason}`);
  }
}

// Files that go ----------------------------------------------------------------------------

export async function download(list) {
  const many = list.length > 1;
  const stop = { now: false };
  const words = many ? `Coloring ${list.length} photos at full size…` : "Coloring at full size…";
  const bar = begin(words, () => {
    stop.now = true;
    bar.tell("Stopping…", null);
  });
  const wanted = () => list.map(wantedOf);
  const progress = (made, total) => {
    if (stop.now) return;
    const text = many ? `${Math.floor(made)} of ${total} at full size…` : made < 1 ? words : "Writing the file…";
    bar.tell(text, made && made < total ? made / total : null);
  };
  try {
    const notes = await again(list, () => engine.download(wanted(), progress, stop));
    for (const note of new Set(notes)) say(note, "note");
  } catch (error) {
    say(error.message);
  }
  bar.end();
  if (page.server.paces) acts.paced();
}

// As `withPhoto`, for whichever of them is gone.
async function again(list, task) {
  for (let tries = 0; ; tries++)
    try {
      return await task();
    } catch (error) {
      const photo = list.find((one) => error instanceof Gone && one.id === error.id);
      if (!photo?.file || tries > list.length) throw error;
      photo.id = (await engine.upload(photo.file, "", photo.salvage)).id;
      keeping.changed(photo);
    }
}

export function saveHints(photo) {
  if (!hasHints(photo)) return;
  const text = JSON.stringify(hintsOf(photo), null, 1);
  saveBlob(new Blob([text], { type: "application/json" }), `${stemOf(photo.name)}-hints.json`);
}
