// The row of photos.

import { page } from "./photo.js";

const $ = (id) => document.getElementById(id);
const items = new Map(); // photo -> element

export function draw(open, remove) {
  $("strip").hidden = page.photos.length < 2;
  for (const [photo, item] of items)
    if (!page.photos.includes(photo)) {
      item.remove();
      items.delete(photo);
    }
  page.photos.forEach((photo, i) => {
    if (!items.has(photo)) items.set(photo, create(photo, open, remove));
    const item = items.get(photo);
    if ($("strip").children[i] !== item) $("strip").insertBefore(item, $("strip").children[i] || null);
    item.setAttribute("aria-current", photo === page.now);
    const address = photo.shownAt || photo.thumbAt;
    const image = item.querySelector("img");
    if (address && image.getAttribute("src") !== address) image.src = address;
    image.hidden = !address;
    item.querySelector("span").hidden = !!address;
  });
}

function create(photo, open, remove) {
  const item = document.createElement("div");
  item.className = "thumb";
  const button = document.createElement("button");
  button.setAttribute("aria-label", photo.name);
  button.title = photo.name;
  const image = new Image();
  image.alt = "";
  const name = document.createElement("span");
  name.textContent = photo.name;
  button.append(image, name);
  button.onclick = () => open(photo);
  const off = document.createElement("button");
  off.className = "icon";
  off.textContent = "×";
  off.setAttribute("aria-label", `Remove ${photo.name}`);
  off.onclick = () => remove(photo);
  item.append(button, off);
  return item;
}
