// Pictures that lend their colors to the photo on the stage: chosen, or dropped on it.

import * as engine from "./engine.js";
import { begin } from "./messages.js";
import { labelOf, LENT, page, settingsOf } from "./photo.js";
import { lenders } from "./stage.js";

const $ = (id) => document.getElementById(id);
// The settings, and where each is chosen.
const CHOSEN = { palette: "palette", colorsFrom: "version" };
const SIDE = 64; // pixels, at which a dropped picture is looked at
const COLORED = 24; // between its channels, of 255, that one pixel in a hundred has in a picture in color

let acts = {}; // change(name, value), failed(error), add(files)

export function start(handlers) {
  acts = handlers;
  for (const [name, id] of Object.entries(CHOSEN)) {
    $(id).addEventListener("change", ({ target }) => {
      if (target.files[0]) lend(name, target.files[0]);
      target.value = "";
    });
    $(`${id}-off`).onclick = () => acts.change(name, null);
  }
}

export function show({ settings }) {
  for (const [name, id] of Object.entries(CHOSEN)) {
    $(`${id}-file`).textContent = settings[name]?.name || "none";
    $(`${id}-off`).hidden = !settings[name];
  }
}

// It is tried before anything changes.
async function lend(name, file) {
  const photo = page.now;
  const work = begin(`Looking at ${file.name}…`);
  try {
    const { id, name: called } = await engine.upload(file, LENT[name]);
    const settings = { ...settingsOf(photo), [LENT[name]]: id };
    await engine.preview(photo.id, { settings, size: "thumbnail" });
    lenders.set(id, file);
    if (page.now === photo) acts.change(name, { id, name: called });
  } catch (error) {
    acts.failed(error);
  } finally {
    work.end();
  }
}

// A picture in color that is dropped on a photo may be meant in more than one way.
export async function dropped(files, target) {
  const [file] = files;
  const asks = files.length === 1 && page.now && target.closest("#view") && page.server.lends && (await isInColor(file));
  if (!asks) return acts.add(files);
  $("lend-words").textContent = `${file.name} is in color. What is it to ${labelOf(page.now)}?`;
  const answer = (act) => () => {
    $("lend").close();
    act();
  };
  $("lend-version").onclick = answer(() => lend("colorsFrom", file));
  $("lend-palette").onclick = answer(() => lend("palette", file));
  $("lend-photo").onclick = answer(() => acts.add(files));
  $("lend").showModal();
}

async function isInColor(file) {
  let image;
  try {
    image = await createImageBitmap(file, { resizeWidth: SIDE, resizeHeight: SIDE });
  } catch {
    return false; // the browser cannot read it
  }
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const pixel = data.subarray(i, i + 3);
    count += Math.max(...pixel) - Math.min(...pixel) > COLORED;
  }
  return count > (SIDE * SIDE) / 100;
}
