// The row of photos and films, and above it that of the shots of the film on the stage.

import { filmOf, hasHints, labelOf, page } from "./photo.js";

const $ = (id) => document.getElementById(id);
const rows = { strip: new Map(), shots: new Map() }; // photo or film -> element
const firstOf = (one) => (one.shots ? one.shots[0] : one);

export function draw(acts) {
  const all = [...page.films, ...page.photos];
  $("strip").hidden = all.length < 2;
  fill("strip", all, (one) => create(one, acts));
  const film = filmOf(page.now);
  $("shots").hidden = !film;
  fill("shots", film?.shots || [], (one) => createShot(one, acts));
}

// Whether a photo's small picture is in view, or nearly.
export function isNear(photo) {
  const box = rows.shots.get(photo)?.getBoundingClientRect();
  return !photo.of || !box || (box.right > -innerWidth && box.left < 2 * innerWidth);
}

function fill(id, members, make) {
  const [row, items] = [$(id), rows[id]];
  for (const [one, item] of items)
    if (!members.includes(one)) {
      item.remove();
      items.delete(one);
    }
  members.forEach((one, i) => {
    if (!items.has(one)) items.set(one, make(one));
    const item = items.get(one);
    if (row.children[i] !== item) row.insertBefore(item, row.children[i] || null);
    const isNow = one === page.now || (one.shots && one === filmOf(page.now));
    if (isNow && item.getAttribute("aria-current") !== "true") bring(row, item);
    item.setAttribute("aria-current", !!isNow);
    const photo = firstOf(one);
    const address = photo?.shownAt || photo?.thumbAt;
    const image = item.querySelector("img");
    if (address && image.getAttribute("src") !== address) image.src = address;
    image.hidden = !address;
    item.querySelector("span").hidden = !!address;
    if (id === "shots") {
      item.toggleAttribute("data-hinted", hasHints(one) && !one.settings.leave);
      item.toggleAttribute("data-left", one.settings.leave);
    }
  });
}

// Scrolls the row alone, and not the page.
function bring(row, item) {
  const [low, high] = [item.offsetLeft - row.offsetLeft, item.offsetLeft - row.offsetLeft + item.offsetWidth];
  if (low < row.scrollLeft || high > row.scrollLeft + row.clientWidth) row.scrollLeft = (low + high - row.clientWidth) / 2;
}

function picture(one, label, open) {
  const button = document.createElement("button");
  button.setAttribute("aria-label", label);
  button.title = label;
  const image = new Image();
  image.alt = "";
  const name = document.createElement("span");
  name.textContent = one.of ? "" : one.name;
  button.append(image, name);
  button.onclick = open;
  return button;
}

function create(one, { open, openFilm, remove, removeFilm }) {
  const item = document.createElement("div");
  item.className = one.shots ? "thumb reel" : "thumb";
  const off = document.createElement("button");
  off.className = "icon";
  off.textContent = "×";
  off.setAttribute("aria-label", `Remove ${one.name}`);
  off.onclick = () => (one.shots ? removeFilm(one) : remove(one));
  item.append(picture(one, one.shots ? `${one.name}, a film` : one.name, () => (one.shots ? openFilm(one) : open(one))), off);
  return item;
}

function createShot(photo, { open }) {
  const item = document.createElement("div");
  item.className = "thumb";
  const time = document.createElement("p");
  time.setAttribute("aria-hidden", "true");
  time.textContent = photo.when;
  item.append(picture(photo, labelOf(photo), () => open(photo)), time);
  return item;
}
