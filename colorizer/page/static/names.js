// Names of colors: what a color is called, swatches of common things, and colors that are named.

import * as color from "./color.js";

// Things of old photos and their colors; of uniforms the cloth as it was worn.
export const THINGS = {
  Skin: { "Fair skin": "#e3b79b", "Rosy skin": "#d9a08b", "Tan skin": "#c08f6c", "Brown skin": "#8d5a3c", "Dark skin": "#5b3a29", Lips: "#b2645c" },
  Hair: { "Blond hair": "#c9a66b", "Light brown hair": "#8a6543", "Brown hair": "#5a3d2b", "Red hair": "#93512e", "Black hair": "#2b2725", "Gray hair": "#9a9a99" },
  "Sky and water": { "Blue sky": "#7fa8d1", "Pale sky": "#b7cbdc", "Evening sky": "#d9a58a", Sea: "#3f6f86", River: "#5d7461" },
  "Plants and soil": { Grass: "#6f8b3d", "Dry grass": "#b3a262", Leaves: "#4d6b35", Fir: "#334d3a", Soil: "#6e5440", Sand: "#cdb48c", Hay: "#c8b06a" },
  "Houses and things": { Brick: "#9c5540", "Roof tile": "#a9603f", Sandstone: "#c4aa82", Oak: "#8d6a43", Mahogany: "#6a3628", Brass: "#b5924c", Copper: "#b06c4a", Leather: "#7a4f33", Denim: "#4f6585" },
  "Uniforms, 1914 to 1918": { "Field gray (Germany)": "#7b8071", "Khaki (Britain)": "#8a7a55", "Horizon blue (France)": "#8ca0b3", "Pike gray (Austria-Hungary)": "#8592a1", "Gray-green (Italy)": "#7d8468", "Olive drab (United States)": "#80734f" },
  "Uniforms, 1939 to 1945": { "Field gray (Germany)": "#5f6a5c", "Battledress (Britain)": "#7c6b49", "Olive drab (United States)": "#6a6344", "Khaki (Soviet Union)": "#8b7f57", "Air force blue (Britain)": "#5b6c85", "Navy blue": "#2c3650" },
};

// Hues as they follow each other round, by where each ends, in degrees of Lab.
const HUES = [[12, "pink"], [45, "red"], [68, "orange"], [100, "yellow"], [118, "olive"], [165, "green"], [215, "teal"], [255, "blue-green"], [292, "blue"], [318, "violet"], [345, "purple"], [360, "pink"]];

// "#c3a398" is "light grayish orange": words for a color, to be read aloud.
export function names(hex) {
  const [L, a, b] = color.lab(hex);
  const chroma = Math.hypot(a, b);
  const light = L < 22 ? "very dark" : L < 42 ? "dark" : L > 88 ? "very light" : L > 68 ? "light" : "";
  if (chroma < 4) return L > 95 ? "white" : L < 8 ? "black" : `${light} gray`.trim();
  const turn = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;
  let hue = HUES.find(([end]) => turn < end)[1];
  if (L < 55 && (hue === "orange" || hue === "yellow") && chroma < 60) hue = "brown";
  if (L > 65 && hue === "red") hue = "pink";
  const strong = chroma < 16 ? "grayish" : chroma > 55 ? "vivid" : "";
  return [light, strong, hue].filter(Boolean).join(" ");
}

let pen = null;
// "#rrggbb" of what a person writes: that itself, a name of CSS, or one of the things above; or null.
export function read(text) {
  const wanted = text.trim().toLowerCase();
  if (/^#?[0-9a-f]{6}$/.test(wanted)) return wanted.replace(/^#?/, "#");
  for (const things of Object.values(THINGS)) for (const [name, value] of Object.entries(things)) if (name.toLowerCase() === wanted) return value;
  if (!wanted || !CSS.supports("color", wanted)) return null;
  pen ||= document.createElement("canvas").getContext("2d");
  pen.fillStyle = "#000000";
  pen.fillStyle = wanted;
  return /^#[0-9a-f]{6}$/.test(pen.fillStyle) ? pen.fillStyle : null; // not: transparent
}
