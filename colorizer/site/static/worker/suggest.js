// The likeliest colors at a place: see colorizer/inference/suggest.py.

import { covering } from "./chroma.js";
import { FROM_GRAY, fToXyz, lightToLab, toCode } from "./lab.js";
import { smoothPrior } from "./palette.js";

const APART = 14; // Lab units between two suggestions, if so many colors are to be had
const BLUR = 6; // Lab units; the bins are 10 apart
const MOST = 9;

// The probability of each bin at a place, 0..1, of a picture of (H, W): `lean` and `prior` (or null)
// weigh what the network gave for the padded one.
export function sharesAt({ values, count, height, width }, H, W, x, y, lean, prior) {
  const [down, across] = [covering(height, H), covering(width, W)];
  const [row, column] = [Math.min(Math.floor(y * down.length), down.length - 1), Math.min(Math.floor(x * across.length), across.length - 1)];
  const [top, bottom, t] = down[row];
  const [left, right, s] = across[column];
  const logits = Float64Array.from({ length: count }, (_, bin) => {
    const at = (v, u) => values[(bin * height + v) * width + u];
    const above = at(top, left) * (1 - s) + at(top, right) * s;
    const below = at(bottom, left) * (1 - s) + at(bottom, right) * s;
    return above * (1 - t) + below * t + lean[bin] + (prior ? Math.log(Math.max(prior[bin], 1e-12)) : 0);
  });
  const most = Math.max(...logits);
  const shares = logits.map((value) => Math.exp(value - most));
  const total = shares.reduce((sum, value) => sum + value, 0);
  return shares.map((value) => value / total);
}

// Distinct colors of one lightness as "#rrggbb", the likeliest first.
export function likeliest(bins, shares, L, most = MOST) {
  const smooth = Float32Array.from(smoothPrior(bins, shares, BLUR));
  const light = bins.map((ab) => mixed(L, ab));
  const ab = light.map((rgb) => lightToLab(...rgb).slice(1));
  const order = [...bins.keys()].sort((i, j) => smooth[j] - smooth[i]);
  const chosen = [];
  for (const apart of [APART, APART / 2, APART / 4])
    for (const i of order) {
      if (chosen.length === most) break;
      if (chosen.every((j) => (ab[i][0] - ab[j][0]) ** 2 + (ab[i][1] - ab[j][1]) ** 2 >= apart ** 2)) chosen.push(i);
    }
  chosen.sort((i, j) => smooth[j] - smooth[i]);
  return chosen.map((i) => `#${light[i].map((value) => Math.round(255 * toCode(value)).toString(16).padStart(2, "0")).join("")}`);
}

// Linear sRGB: the nearest to a color on its way to the gray of the luminance.
function mixed(L, [a, b]) {
  const fy = (L + 16) / 116;
  const Y = Math.min(1, Math.max(0, fToXyz(fy)));
  const [dx, dz] = [fToXyz(fy + a / 500) - Y, fToXyz(fy - b / 200) - Y];
  const away = FROM_GRAY.map(([x, z]) => x * dx + z * dz);
  const above = (1 - Y) / Math.max(Math.max(...away), 1e-9);
  const below = Y / Math.max(-Math.min(...away), 1e-9);
  return away.map((value) => Math.min(1, Math.max(0, Y + Math.min(above, below, 1) * value)));
}
