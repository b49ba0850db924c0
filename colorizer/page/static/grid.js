// All photos in one view: rated, sifted, made alike, taken away.

import { keep } from "./history.js";
import { filmOf, labelOf, page, rowOf } from "./photo.js";

const $ = (id) => document.getElementById(id);
const MOST = 5; // stars
const items = new Map(); // photo -> element
let acts = {}; // open, apply, remove, download, changed

export function start(handlers) {
  acts = handlers;
  $("all").onclick = open;
  $("grid-close").onclick = () => $("grid").close();
  $("least").addEventListener("change", draw);
  $("grid-download").onclick = () => {
    $("grid").close();
    acts.download(seen());
  };
  $("grid").addEventListener("keydown", move);
}

export function open() {
  $("grid").showModal();
  draw();
  items.get(page.now)?.querySelector("button").focus();
}

const seen = () => rowOf(page.now).filter(({ rating }) => rating >= Number($("least").value));

export function draw() {
  if (!$("grid").open) return;
  const row = rowOf(page.now);
  for (const [photo, item] of items)
    if (!row.includes(photo)) {
      item.remove();
      items.delete(photo);
    }
  const list = seen();
  row.forEach((photo, place) => {
    if (!items.has(photo)) items.set(photo, create(photo));
    const item = items.get(photo);
    item.hidden = !list.includes(photo);
    if ($("cells").children[place] !== item) $("cells").insertBefore(item, $("cells").children[place] || null);
    const address = photo.shownAt || photo.thumbAt;
    const image = item.querySelector("img");
    if (address && image.getAttribute("src") !== address) image.src = address;
    image.hidden = !address;
    item.setAttribute("aria-current", photo === page.now);
    item.querySelectorAll("[role=radio]").forEach((star, i) => {
      star.textContent = i < photo.rating ? "★" : "☆";
      star.setAttribute("aria-checked", i + 1 === photo.rating);
      star.tabIndex = i + 1 === (photo.rating || 1) ? 0 : -1;
    });
  });
  const what = filmOf(page.now) ? "shots" : "photos";
  $("grid-count").textContent = list.length === row.length ? `${list.length} ${what}` : `${list.length} of ${row.length} ${what}`;
  $("grid-download").disabled = !list.length;
}

function button(words, act, label = "") {
  const made = document.createElement("button");
  made.textContent = words;
  if (label) made.setAttribute("aria-label", label);
  made.onclick = act;
  return made;
}

function create(photo) {
  const item = document.createElement("div");
  item.className = "cell";
  const shown = button("", () => {
    $("grid").close();
    acts.open(photo);
  }, `Open ${labelOf(photo)}`);
  shown.className = "shown";
  const image = new Image();
  image.alt = "";
  shown.append(image);
  const name = document.createElement("span");
  name.textContent = labelOf(photo);
  const stars = document.createElement("div");
  stars.className = "stars";
  stars.setAttribute("role", "radiogroup");
  stars.setAttribute("aria-label", `Rating of ${labelOf(photo)}`);
  for (let star = 1; star <= MOST; star++) {
    const one = button("☆", () => rate(photo, star === photo.rating ? 0 : star), star === 1 ? "1 star" : `${star} stars`);
    one.setAttribute("role", "radio");
    stars.append(one);
  }
  const alike = button("All like this one", () => acts.apply(photo));
  const off = button("Remove", () => acts.remove(photo), `Remove ${labelOf(photo)}`);
  off.hidden = !!photo.of;
  for (const one of [alike, off]) one.className = "button small";
  const row = document.createElement("div");
  row.className = "buttons";
  row.append(alike, off);
  item.append(shown, name, stars, row);
  return item;
}

function rate(photo, rating) {
  photo.rating = rating;
  acts.changed(photo);
  draw();
}

// Arrows go from photo to photo; on stars from star to star; 0 to 5 rate the photo that has the focus.
function move(event) {
  const item = event.target.closest(".cell");
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  const photo = [...items].find(([, own]) => own === item)[0];
  const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (/^[0-5]$/.test(event.key)) rate(photo, Number(event.key));
  else if (way && event.target.closest(".stars")) {
    const stars = [...item.querySelectorAll("[role=radio]")];
    const next = stars[stars.indexOf(event.target) + way];
    if (next) rate(photo, stars.indexOf(next) + 1);
    next?.focus();
  } else if (way) {
    const all = [...$("cells").children].filter((one) => !one.hidden);
    const across = ["ArrowUp", "ArrowDown"].includes(event.key) ? all.filter((one) => one.offsetTop === all[0].offsetTop).length : 1;
    all[all.indexOf(item) + way * across]?.querySelector("button").focus();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

// Gives the settings of a photo, without its hints, to all others.
export function apply(from, changed) {
  for (const photo of rowOf(from))
    if (photo !== from) {
      keep(photo);
      const { leave, colorsFrom } = photo.settings; // which are of one photo alone
      photo.settings = { ...from.settings, leave, colorsFrom };
      photo.shownAt = photo.thumbAt = null;
      changed(photo);
    }
}
