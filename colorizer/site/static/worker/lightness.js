// From coded pixels to lightness, under their profile: see colorizer/pictures/lightness.py.

import { lightnessOf, product, RGB_TO_XYZ } from "./lab.js";

// What a reader of pixels needs of a profile: {light: 3 tables of 256, weights, gray: 256 of L}.
export function tablesOf({ curves, toSrgb }, isGray) {
  const light = [0, 1, 2].map((i) =>
    Float32Array.from({ length: 256 }, (_, code) => curves[Math.min(i, curves.length - 1)](code / 255)),
  );
  // of a gray picture under a profile with three curves the green one counts
  const gray = Float32Array.from({ length: 256 }, (_, code) => lightnessOf(light[1][code]));
  if (isGray || !toSrgb) return { light, toSrgb: null, weights: null, gray };
  return { light, toSrgb, weights: product([RGB_TO_XYZ[1]], toSrgb)[0], gray };
}

// L of `count` RGBA pixels into `out`.
export function lightness(pixels, tables, count, out) {
  const { light, weights, gray } = tables;
  if (!weights) {
    for (let i = 0; i < count; i++) out[i] = gray[pixels[4 * i]];
    return out;
  }
  const [r, g, b] = light;
  const [wr, wg, wb] = weights;
  for (let i = 0, at = 0; i < count; i++, at += 4) {
    const Y = wr * r[pixels[at]] + wg * g[pixels[at + 1]] + wb * b[pixels[at + 2]];
    out[i] = lightnessOf(Y > 0 ? (Y < 1 ? Y : 1) : 0);
  }
  return out;
}

// The sum over pixels of how far their channels lie apart, 0..1 each.
export function spread(pixels, count) {
  let sum = 0;
  for (let at = 0; at < 4 * count; at += 4) {
    const [r, g, b] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    sum += Math.max(r, g, b) - Math.min(r, g, b);
  }
  return sum / 255;
}
