// Prefers the colors of a reference photo: see colorizer/inference/priors.py and color/gamut.py.

import { lightToLab } from "./lab.js";
import { resize, wholeOf } from "./resize.js";

const SIDE = 256; // pixels, of the copy whose colors are counted
const GRID = 10; // Lab units between bins
const [EVEN, BLUR, FORCE] = [0.3, 10, 0.5];
const SPREAD = 0.01;
const BAND = 64;

// Shares over the bins, blurred in the ab plane; sums to 1.
export function smoothPrior(bins, shares, sigma) {
  const count = bins.length;
  const out = new Float64Array(count);
  for (let j = 0; j < count; j++) {
    const kernel = bins.map(([a, b]) => Math.exp(-((a - bins[j][0]) ** 2 + (b - bins[j][1]) ** 2) / (2 * sigma ** 2)));
    const sum = kernel.reduce((total, value) => total + value, 0);
    for (let i = 0; i < count; i++) out[i] += (kernel[i] / sum) * shares[j];
  }
  const total = out.reduce((sum, value) => sum + value, 0);
  return out.map((value) => value / total);
}

// Halves go to the even cell, as in Python.
function cell(value) {
  const scaled = value / GRID;
  const low = Math.floor(scaled);
  if (scaled - low === 0.5) return low % 2 ? low + 1 : low;
  return Math.round(scaled);
}

// How many colors (a, b, a, b, ...) lie in each bin.
export function histogram(bins, ab) {
  const places = new Map(bins.map(([a, b], i) => [`${cell(a)},${cell(b)}`, i]));
  const counts = new Float64Array(bins.length);
  for (let i = 0; i < ab.length; i += 2) {
    const at = places.get(`${cell(ab[i])},${cell(ab[i + 1])}`);
    if (at !== undefined) counts[at] += 1;
  }
  return counts;
}

// A factor for each bin; `typical` are the shares in the training photos.
export function palettePrior(bins, ab, typical) {
  const share = smoothPrior(bins, histogram(bins, ab), BLUR);
  const usual = smoothPrior(bins, typical, BLUR);
  const even = EVEN / bins.length;
  const prior = share.map((value, i) => (((1 - EVEN) * value + even) / ((1 - EVEN) * usual[i] + even)) ** FORCE);
  const mean = prior.reduce((sum, value, i) => sum + value * usual[i], 0);
  return Float32Array.from(prior, (value) => value / mean);
}

// The colors of a photo, of a small copy: a, b, a, b, ...
export function colorsOf(source, pixels, name) {
  const gray = new Error(`${name} has no colors, so it is no palette; choose a photo in color.`);
  if (!source.tables.toSrgb) throw gray;
  const light = smallLight(source, pixels);
  let apart = 0;
  for (let i = 0; i < light.length; i += 3) apart += Math.max(light[i], light[i + 1], light[i + 2]) - Math.min(light[i], light[i + 1], light[i + 2]);
  if (apart / (light.length / 3) < SPREAD / 4) throw gray;
  const ab = new Float64Array((light.length / 3) * 2);
  for (let i = 0; i < light.length / 3; i++) {
    const [, a, b] = lightToLab(light[3 * i], light[3 * i + 1], light[3 * i + 2]);
    [ab[2 * i], ab[2 * i + 1]] = [a, b];
  }
  return ab;
}

const within = (value) => (value > 0 ? (value < 1 ? value : 1) : 0);

// Linear sRGB of a small copy, (h, w, 3).
function smallLight(source, pixels) {
  const { width: W, height: H } = source;
  const scale = Math.min(1, SIDE / Math.max(W, H));
  const [width, height] = [W, H].map((side) => Math.max(1, Math.round(side * scale)));
  const [across, down] = [wholeOf(W, width), wholeOf(H, height)];
  const [w, h] = [Math.ceil(W / across), Math.ceil(H / down)];
  const out = new Float32Array(3 * w * h);
  const { light, toSrgb } = source.tables;
  const rows = down * Math.ceil(BAND / down);
  for (let first = 0; first < H; first += rows) {
    const count = Math.min(rows, H - first);
    const data = pixels(0, first, W, count);
    for (let y = 0; y < Math.ceil(count / down); y++)
      for (let x = 0; x < w; x++) {
        let [sumR, sumG, sumB] = [0, 0, 0];
        for (let v = 0; v < down; v++)
          for (let u = 0; u < across; u++) {
            const at = 4 * (Math.min(count - 1, y * down + v) * W + Math.min(W - 1, x * across + u));
            const r = light[0][data[at]];
            const g = light[1][data[at + 1]];
            const b = light[2][data[at + 2]];
            sumR += within(toSrgb[0][0] * r + toSrgb[0][1] * g + toSrgb[0][2] * b);
            sumG += within(toSrgb[1][0] * r + toSrgb[1][1] * g + toSrgb[1][2] * b);
            sumB += within(toSrgb[2][0] * r + toSrgb[2][1] * g + toSrgb[2][2] * b);
          }
        const to = 3 * ((first / down + y) * w + x);
        out[to] = sumR / (across * down);
        out[to + 1] = sumG / (across * down);
        out[to + 2] = sumB / (across * down);
      }
  }
  return resize(out, [h, w, 3], height, width, [H, W]);
}
