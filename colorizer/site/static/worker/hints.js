// What a user says of colors, as the page tells and saves it: see colorizer/inference/hints.py.

import { lightToLab, toLight } from "./lab.js";

const VERSION = 1;
const MOST_PLACES = 20000; // of all hints and regions together
const SHARES = { reach: 10, width: 1 }; // of the short side, the most of each

// {version, hints} -> {points: [{places, ab, reach, width}], regions: [{corners, keep}]}; null where
// nothing is said. `reach` and `width` are shares of the short side; of no limit Infinity, and 0.
export function readHints(found) {
  if (!found) return null;
  if (found.version !== VERSION) throw new Error(`version is ${shown(found.version)}; this page reads ${VERSION}`);
  if (!Array.isArray(found.hints)) throw new Error("accepted is a list of hints, or a file that holds one");
  const hints = { points: [], regions: [] };
  let count = 0;
  found.hints.forEach((entry, i) => {
    const where = `hint ${i + 1}`;
    if (!entry || typeof entry !== "object" || Array.isArray(entry)) throw new Error(`${where} is ${shown(entry)}; accepted is a mapping with \`at\` and \`color\``);
    const said = "region" in entry ? region(entry, where) : point(entry, where);
    (said.corners ? hints.regions : hints.points).push(said);
    count += (said.corners || said.places).length;
    if (count > MOST_PLACES) throw new Error(`more than ${MOST_PLACES.toLocaleString("en")} places; draw with fewer`);
  });
  return count ? hints : null;
}

// As a result's metadata tell it.
export function countOf(found) {
  const hints = readHints(found);
  if (!hints) return [];
  const { points, regions } = hints;
  const told = [];
  for (const [what, { length }] of [["hint", points], ["region", regions]]) if (length) told.push(`${length} ${what}${length > 1 ? "s" : ""}`);
  return [told.join(" and ")];
}

function point(entry, where) {
  checkNames(entry, ["at", "stroke", "color", "page", "reach", "width"], where);
  if ("at" in entry === "stroke" in entry || !("color" in entry)) throw new Error(`${where}: needs \`color\`, and either \`at\` or \`stroke\``);
  checkPage(entry, where);
  const found = "at" in entry ? [entry.at] : entry.stroke;
  return { places: places(found, 1, where), ab: chroma(entry.color, where), reach: share(entry, "reach", where) ?? Infinity, width: share(entry, "width", where) ?? 0 };
}

function region(entry, where) {
  checkNames(entry, ["region", "keep", "page"], where);
  const { keep = "predicted" } = entry;
  if (!["gray", "predicted", "apart"].includes(keep)) throw new Error(`${where}: keep is ${shown(keep)}; accepted are gray, predicted and apart`);
  checkPage(entry, where);
  return { corners: places(entry.region, 3, where), keep };
}

function share(entry, name, where) {
  const found = entry[name] ?? null;
  if (found !== null && !(typeof found === "number" && found > 0 && found <= SHARES[name]))
    throw new Error(`${where}: ${name} is ${shown(found)}; accepted are shares of the short side, above 0 and up to ${SHARES[name]}, or null`);
  return found;
}

function checkPage({ page = 1 }, where) {
  if (!Number.isInteger(page) || page < 1) throw new Error(`${where}: page is ${shown(page)}; accepted are whole numbers from 1 on`);
  if (page > 1) throw new Error(`${where}: the photo has no page ${page}`);
}

function checkNames(entry, known, where) {
  const other = Object.keys(entry).find((name) => !known.includes(name));
  if (other !== undefined) throw new Error(`${where}: there is no ${shown(other)}; accepted: ${known.join(", ")}`);
}

function places(found, least, where) {
  const isPlace = (place) => Array.isArray(place) && place.length === 2 && place.every((value) => typeof value === "number");
  if (!Array.isArray(found) || found.length < least || !found.every(isPlace)) throw new Error(`${where}: accepted are places [x, y], at least ${least}`);
  if (!found.flat().every((value) => value >= 0 && value <= 1)) throw new Error(`${where}: x and y are shares of the upright picture, from 0 to 1`);
  return found;
}

function chroma(color, where) {
  if (typeof color !== "string" || !/^#[0-9a-f]{6}$/i.test(color)) throw new Error(`${where}: color is ${shown(color)}; accepted is #rrggbb, such as #8a2f2b`);
  const rgb = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16) / 255);
  if (rgb.every((value) => value === rgb[0])) return [0, 0]; // exactly neutral
  return lightToLab(...rgb.map(toLight)).slice(1);
}

const shown = (value) => (JSON.stringify(value) ?? "missing").slice(0, 60);
