// What is drawn of photos: the stage, the alternatives, small pictures, and the file's own pixels.

import * as engine from "./engine.js";
import { Gone } from "./failures.js";
import * as keeping from "./keeping.js";
import { say } from "./messages.js";
import { lentOf, page, renew, rowOf, settingsOf, toldOf } from "./photo.js";
import { isNear } from "./strip.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
export const VARIANTS = 6;
export const lenders = new Map(); // of pictures that lend their colors: id -> file, while the page is open
export const stage = { dragging: false, failed: () => {}, drawn: () => {} };

// Asks again with the file itself if the server has let go of it.
export async function withPhoto(photo, task) {
  for (const tries of [2, 1, 0])
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof Gone) || !tries) throw error;
      const [purpose] = Object.entries(lentOf(photo)).find(([, id]) => id === error.id) || [];
      if (purpose) {
        const file = lenders.get(error.id);
        if (!file) throw error;
        const { id } = await engine.upload(file, purpose);
        lenders.set(id, file);
        renew(error.id, id);
      } else if (photo.file && error.id === photo.id) {
        photo.id = (await engine.upload(photo.file, "", photo.salvage)).id;
        keeping.changed(photo);
      } else throw error;
    }
}

const isShown = (photo) => photo && photo === page.now;

function show(photo, field, blob) {
  if (photo[field]) URL.revokeObjectURL(photo[field]);
  photo[field] = URL.createObjectURL(blob);
  return photo[field];
}

export async function drawGray(photo) {
  if (!photo.grayAt) show(photo, "grayAt", await withPhoto(photo, () => engine.gray(photo.id)));
  if (!isShown(photo)) return;
  $("before").src = photo.grayAt;
  if (!photo.shownAt) $("after").src = photo.grayAt;
}

// One request at a time; what changes meanwhile is drawn after it.
let drawing = null;
let again = false;

export function draw() {
  again = true;
  if (!drawing) {
    $("stage").setAttribute("aria-busy", "true");
    drawing = work().finally(() => {
      drawing = null;
      $("stage").removeAttribute("aria-busy");
    });
  }
  return drawing;
}

// What is to be known of how it is colored, once.
function tell(photo, notes) {
  for (const note of notes) if (!photo.told?.includes(note)) say(note, "note");
  photo.told = notes;
}

// A large photo is shown at half its size first, so that a change is seen at once.
function sizesFor({ shown }) {
  if (stage.dragging) return ["small"];
  return shown[0] * shown[1] > 800_000 ? ["small", "whole"] : ["whole"];
}

async function work() {
  const slow = setTimeout(() => ($("working").hidden = false), 400);
  try {
    while (again && page.now) {
      again = false;
      const photo = page.now;
      for (const size of sizesFor(photo)) {
        const told = { ...toldOf(photo), size };
        const see = () => engine.preview(photo.id, { ...told, settings: settingsOf(photo) });
        const blob = await withPhoto(photo, photo.settings.leave ? () => engine.own(photo.id) : see);
        const address = show(photo, "shownAt", blob);
        tell(photo, blob.notes || []);
        if (isShown(photo)) {
          $("after").src = address;
          if ($("own").dataset.told !== JSON.stringify(toldOf(photo))) $("own").hidden = true;
        }
        stage.drawn(photo);
        if (again) break; // it has changed meanwhile
      }
    }
    look();
  } catch (error) {
    stage.failed(error);
  } finally {
    clearTimeout(slow);
    $("working").hidden = true;
  }
}

// The file's own pixels --------------------------------------------------------------------

let looking = null;
let seen = ""; // what is shown of them
let rest = 0;

// After zoom and pan have come to rest.
export function lookSoon() {
  clearTimeout(rest);
  rest = setTimeout(look, 120);
}

function look() {
  clearTimeout(rest);
  looking ||= lookOnce().finally(() => (looking = null));
}

async function lookOnce() {
  for (;;) {
    const photo = page.now;
    const part = photo && !photo.settings.leave && view.part();
    const wanted = part ? JSON.stringify([photo.id, part, toldOf(photo), view.isGraySeen()]) : "";
    if (wanted === seen) return;
    if (!part) {
      seen = "";
      for (const id of ["own", "own-gray"]) $(id).hidden = true;
      return;
    }
    try {
      if (view.isGraySeen()) await place("own-gray", photo, part, { gray: true });
      else $("own-gray").hidden = true;
      await place("own", photo, part, toldOf(photo));
      seen = wanted;
    } catch (error) {
      seen = wanted; // the preview stays
      stage.failed(error);
    }
  }
}

async function place(id, photo, part, told) {
  const wanted = JSON.stringify([photo.id, part, told]);
  if ($(id).dataset.wanted === wanted && !$(id).hidden) return;
  const blob = await withPhoto(photo, () => engine.region(photo.id, { ...told, box: part.box, shrink: part.shrink }));
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  if (!isShown(photo)) return URL.revokeObjectURL(image.src);
  if ($(id).src) URL.revokeObjectURL($(id).src);
  $(id).src = image.src;
  Object.assign($(id).dataset, { wanted, told: JSON.stringify(told) });
  view.placePart($(id), part, [image.naturalWidth, image.naturalHeight]);
}

// What is seen is no longer so.
export function hideOwn() {
  seen = "";
  for (const id of ["own", "own-gray"]) $(id).hidden = true;
}

// Alternatives, kept for each photo --------------------------------------------------------

const about = (photo) => {
  const settings = { ...photo.settings, variant: 0, quality: "", ...lentOf(photo) };
  return JSON.stringify([photo.id, settings, toldOf(photo).hints]);
};

export function showVariants(photo) {
  const made = photo.variants?.of === about(photo) ? photo.variants.at : [];
  [...$("variants").children].forEach((button, i) => {
    if (!made[i]) return button.replaceChildren();
    if (button.firstChild?.src === made[i]) return;
    const image = new Image();
    image.alt = "";
    image.src = made[i];
    button.replaceChildren(image);
  });
}

// Shows an alternative on the stage, as it was drawn small; null is what was chosen.
export function tryVariant(variant) {
  const address = variant && variant !== page.now?.settings.variant && page.now?.variants?.at[variant - 1];
  $("tried").hidden = !address;
  if (address) $("tried").src = address;
}

export async function drawVariants() {
  const photo = page.now;
  if (!photo || !page.server.steers) return;
  const of = about(photo);
  if (photo.variants?.of !== of) {
    for (const address of photo.variants?.at || []) URL.revokeObjectURL(address);
    photo.variants = { of, at: [], busy: false };
  }
  const { variants } = photo;
  showVariants(photo);
  if (variants.busy) return;
  variants.busy = true;
  try {
    for (let i = variants.at.length; i < VARIANTS; i++) {
      if (!isShown(photo) || about(photo) !== of) return;
      const settings = () => ({ ...settingsOf(photo), variant: i + 1, quality: "fast" });
      const { hints } = toldOf(photo);
      const blob = await withPhoto(photo, () => engine.preview(photo.id, { settings: settings(), hints, size: "thumbnail" }));
      variants.at[i] = URL.createObjectURL(blob);
      if (isShown(photo)) showVariants(photo);
    }
  } catch {
    // the stage has said it
  } finally {
    variants.busy = false;
  }
}

// Small pictures of photos that were not opened, when nothing else is to be done -----------

let idling = false;
export async function drawThumbs(isBusy) {
  if (idling) return;
  idling = true;
  try {
    for (;;) {
      const all = [...page.photos, ...page.films.flatMap(({ shots }) => shots.slice(0, 1)), ...rowOf(page.now)];
      const photo = all.find((one) => !one.shownAt && !one.thumbAt && !one.thumbFailed && isNear(one));
      if (!photo) return;
      if (drawing || isBusy()) {
        await new Promise((done) => setTimeout(done, 200));
        continue;
      }
      try {
        const told = { ...toldOf(photo), size: "thumbnail" };
        const see = () => (photo.settings.leave ? engine.own(photo.id) : engine.preview(photo.id, told));
        show(photo, "thumbAt", await withPhoto(photo, see));
      } catch {
        photo.thumbFailed = true; // it is said when it is opened
      }
      stage.drawn(photo);
    }
  } finally {
    idling = false;
  }
}
