// Pictures that lend their colors to the photo on the stage: chosen, or dropped on it.

import * as engine from "./engine.js";
import { begin, say } from "./messages.js";
import { labelOf, LENT, page, rowOf, settingsOf, stemOf, toldOf } from "./photo.js";
import { lenders, withPhoto } from "./stage.js";

const $ = (id) => document.getElementById(id);
// The settings, and where each is chosen.
const CHOSEN = { palette: "palette", reference: "reference", colorsFrom: "version" };
const SIDE = 64; // pixels, at which a dropped picture is looked at
const COLORED = 24; // between its channels, of 255, that one pixel in a hundred has in a picture in color

let acts = {}; // change(name, value), lent(photo, name, value), drawn(), failed(error), add(files)

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

// The other photos are colored like one, as it is now.
export async function lendToOthers(photo) {
  const others = rowOf(photo).filter((one) => one !== photo);
  const work = begin(`Looking at ${labelOf(photo)}…`);
  try {
    const blob = await withPhoto(photo, () => engine.preview(photo.id, toldOf(photo)));
    const file = new File([blob], `${stemOf(photo.name)}-colored.jpg`);
    const { id, name } = await engine.upload(file, LENT.reference);
    lenders.set(id, file);
    for (const one of others) acts.lent(one, "reference", { id, name });
  } catch (error) {
    return acts.failed(error);
  } finally {
    work.end();
  }
  acts.drawn();
  say(`The others take colors of ${labelOf(photo)} now, where they show the same things.`, "note");
}

// A picture in color that is dropped on a photo may be meant in more than one way.
export async function dropped(files, target) {
  const [file] = files;
  const asks = files.length === 1 && page.now && target.closest("#view") && page.server.lends.includes(LENT.colorsFrom) && (await isInColor(file));
  if (!asks) return acts.add(files);
  $("lend-words").textContent = `${file.name} is in color. What is it to ${labelOf(page.now)}?`;
  const answer = (act) => () => {
    $("lend").close();
    act();
  };
  $("lend-version").onclick = answer(() => lend("colorsFrom", file));
  $("lend-reference").onclick = answer(() => lend("reference", file));
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
