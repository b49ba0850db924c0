// The settings of the photo on the stage: sliders, switches, the form of downloads, and what is noted.

import { command, filmOf, formOf, hasHints, isSaidOf, LAYERS, page } from "./photo.js";

const $ = (id) => document.getElementById(id);
const FORMS = { layer: "Color layer", pair: "Side by side" };
const LONG = 8; // seconds, from which a format tells its time

const share = (value) => `${Math.round(100 * value)} %`;
const signed = (value) => (value ? `${value > 0 ? "+" : "−"}${Math.abs(Math.round(100 * value))}` : "as it comes");
// Sliders: the setting that each is of, and how its value is told.
const SLIDERS = {
  vividness: ["vividness", share],
  temperature: ["boldness", signed],
  warmth: ["warmth", signed],
  tint: ["tint", signed],
  shadows: ["shadows", share],
  highlights: ["highlights", share],
};
const SWITCHES = { quality: ["fast", "best"], natural: [false, true], leave: [false, true] };

// `change(name, value)` while a slider is dragged, then `settle()`; `choose(name, value)` of a switch.
export function start({ change, settle, choose, formatted }) {
  for (const [id, [name]] of Object.entries(SLIDERS)) {
    $(id).addEventListener("input", () => change(name, Number($(id).value)));
    $(id).addEventListener("change", settle);
  }
  for (const [name, values] of Object.entries(SWITCHES)) $(name).addEventListener("change", () => choose(name, values[Number($(name).checked)]));
  $("format").addEventListener("change", () => {
    page.now.format = $("format").value;
    formatted();
  });
}

// What the server can write; the page as static files writes no layers.
export function showFormats({ formats, results = ["photo"] }) {
  const entries = Object.entries(formats);
  const option = (form, [end, name]) => Object.assign(new Option(name, form === "photo" ? end : form + end), { title: name });
  $("format").replaceChildren(...entries.map((one) => option("photo", one)));
  for (const form of results.slice(1)) {
    const group = document.createElement("optgroup");
    group.label = FORMS[form];
    group.append(...entries.filter(([end]) => form !== "layer" || LAYERS.includes(end)).map((one) => option(form, [one[0], `${FORMS[form]}, ${one[1]}`])));
    $("format").append(group);
  }
}

// Formats that take long tell it, as long as it took the last time.
function showTimes({ width, height }) {
  const { paces } = page.server;
  if (!paces) return;
  for (const option of $("format").options) {
    const { result, format } = formOf({ format: option.value });
    const seconds = (paces[format] * width * height * (result === "pair" ? 2 : 1)) / 1e6;
    const time = seconds < 90 ? `${Math.round(seconds / 5) * 5 || 5} s` : `${Math.round(seconds / 60)} min`;
    option.text = seconds < LONG ? option.title : `${option.title} (about ${time})`;
  }
}

export function show(photo) {
  const { settings } = photo;
  for (const [id, [name, words]] of Object.entries(SLIDERS)) {
    $(id).value = settings[name];
    document.querySelector(`output[for=${id}]`).value = words(settings[name]);
  }
  for (const [name, values] of Object.entries(SWITCHES)) $(name).checked = settings[name] === values[1];
  showTimes(photo);
  $("format").value = photo.format;
  [...$("variants").children].forEach((button, i) => {
    button.setAttribute("aria-checked", settings.variant === i + 1);
    button.tabIndex = settings.variant === i + 1 ? 0 : -1;
  });
  $("save-hints").hidden = !hasHints(photo);
  $("save-shots").hidden = !filmOf(photo) || !isSaidOf(filmOf(photo));
  $("tip").hidden = !page.server.hints;
  $("panel").toggleAttribute("data-left", settings.leave);
  $("command").textContent = command(photo);
}

export function showNotes({ name, width, height, bits, notes }) {
  const size = `${width.toLocaleString("en")} × ${height.toLocaleString("en")} pixels, ${bits} bits`;
  $("notes").replaceChildren(
    ...[`${name}: ${size}`, ...notes].map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
}
