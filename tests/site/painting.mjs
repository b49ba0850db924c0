// Whole pictures by way of functions that take rows.
import { painter } from "../../colorizer/site/static/worker/compose.js";
import { isSrgb, readProfile, SRGB } from "../../colorizer/site/static/worker/icc.js";
import { lightness, tablesOf } from "../../colorizer/site/static/worker/lightness.js";

export const paint = (L, coloring, h, w, width, height, vividness) =>
  painter(coloring, h, w, width, height, vividness).rows(L, 0, height, new Uint8ClampedArray(4 * width * height));

export function lightnessUnder(pixels, bytes, isGray) {
  const profile = readProfile(bytes) || SRGB;
  const count = pixels.length / 4;
  return { L: lightness(pixels, tablesOf(profile, isGray), count, new Float32Array(count)), isSrgb: isSrgb(profile) };
}
