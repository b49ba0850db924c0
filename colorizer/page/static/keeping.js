// Nothing is lost: what was said of photos is on the server a moment later.

import * as engine from "./engine.js";
import { Silent } from "./failures.js";
import { rowOf, write } from "./photo.js";

const WAIT = 300; // milliseconds after the last change
const due = new Map(); // photo -> timer
let under = 0; // how many are on their way

export function changed(photo) {
  clearTimeout(due.get(photo));
  due.set(photo, setTimeout(() => send(photo), WAIT));
  tell();
}

async function send(photo, last = false) {
  clearTimeout(due.get(photo));
  due.delete(photo);
  const text = write(photo);
  under += 1;
  try {
    photo.revision = (await engine.keep(photo.id, text, last)).revision;
  } catch (error) {
    // a photo that is gone is sent again, with what was said, when it is next drawn
    if (error instanceof Silent && !due.has(photo)) due.set(photo, setTimeout(() => send(photo), 5000));
  } finally {
    under -= 1;
    tell();
  }
}

export const isUnsaved = () => due.size + under > 0;

const tell = () => document.body.toggleAttribute("data-unsaved", isUnsaved());

export const isDue = (photo) => due.has(photo);

addEventListener("pagehide", () => {
  for (const photo of [...due.keys()]) if (rowOf(photo).includes(photo)) send(photo, true);
});
