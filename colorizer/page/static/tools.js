// What touching the photo does, the buttons below it, and the keys.

import * as grid from "./grid.js";
import * as hints from "./hints.js";
import { page, rowOf } from "./photo.js";
import * as regions from "./regions.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
let acts = {}; // open(photo), go(back)

export function start(handlers) {
  acts = handlers;
}

$("in").onclick = () => view.zoom(1.4);
$("out").onclick = () => view.zoom(1 / 1.4);
$("fit").onclick = view.fit;
$("percent").onclick = view.zoomToOwn;
$("bare").onclick = () => toggleMarks();
$("help").onclick = () => $("keys").showModal();
$("keys-close").onclick = () => $("keys").close();

function toggleMarks() {
  hints.close();
  $("bare").setAttribute("aria-pressed", $("view").toggleAttribute("data-bare"));
}

const buttons = [...document.querySelectorAll(".tools [data-tool]")];
export function setTool(name) {
  hints.close();
  regions.close();
  regions.giveUp();
  $("brush-row").hidden = name !== "stroke";
  for (const button of buttons) {
    button.setAttribute("aria-checked", button.dataset.tool === name);
    button.tabIndex = button.dataset.tool === name ? 0 : -1;
  }
  view.setTool(name);
}
function brush(by = 0) {
  $("brush").value = Number($("brush").value) + 0.02 * by;
  const width = Math.round(100 * Number($("brush").value));
  $("brush").setAttribute("aria-valuetext", width ? `${width} % of the short side` : "a line");
}
$("brush").addEventListener("input", () => brush());
for (const button of buttons) button.onclick = () => setTool(button.dataset.tool);

// Arrows go round in a group of which one is chosen.
export function rove(group, members, now) {
  group.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!way || !page.now) return;
    event.preventDefault();
    event.stopPropagation();
    const next = members[(now() + way + members.length) % members.length];
    next.click();
    next.focus();
  });
}
rove(buttons[0].parentElement, buttons, () => buttons.findIndex((one) => one.getAttribute("aria-checked") === "true"));

const TOOLS = { p: "point", s: "stroke", l: "lasso", e: "erase", m: "move" };
const KEYS = {
  "+": () => view.zoom(1.4),
  "=": () => view.zoom(1.4),
  "-": () => view.zoom(1 / 1.4),
  0: () => view.fit(),
  1: () => view.zoomToOwn(),
  h: () => toggleMarks(),
  o: () => view.hold(true),
  g: () => rowOf(page.now).length > 1 && grid.open(),
  "?": () => $("keys").showModal(),
  ",": () => step(-1),
  ".": () => step(1),
  "[": () => brush(-1),
  "]": () => brush(1),
};
function step(by) {
  const row = rowOf(page.now);
  const next = row[row.indexOf(page.now) + by];
  if (next) acts.open(next);
}
function pressed(event) {
  if (document.querySelector("dialog[open]") || !page.now) return;
  const key = event.key.toLowerCase();
  if (key === "escape") {
    if (hints.isPicking()) return hints.pick(false);
    regions.close();
    return regions.giveUp() || hints.close();
  }
  if (key === " " && !event.target.closest("button, summary, input, select, .mark, .area") && (event.target !== $("view") || !view.hasCross())) {
    event.preventDefault();
    return view.setSpace(true);
  }
  if (event.target.matches("input:not([type=range]):not([type=checkbox]), select")) return;
  const held = event.ctrlKey || event.metaKey;
  if (held && key === "z") acts.go(!event.shiftKey);
  else if (held && key === "y") acts.go(false);
  else if (held || event.altKey) return;
  else if (Object.hasOwn(KEYS, key)) KEYS[key]();
  else if (Object.hasOwn(TOOLS, key) && page.server.hints) setTool(TOOLS[key]);
  else return;
  event.preventDefault();
}
addEventListener("keydown", pressed);
addEventListener("keyup", (event) => {
  if (event.key.toLowerCase() === "o") view.hold(false);
  if (event.key === " ") view.setSpace(false);
});
addEventListener("blur", () => {
  view.hold(false);
  view.setSpace(false);
});
