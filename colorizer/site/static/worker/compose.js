// Lays chroma over lightness, in gamut at constant luminance: see `compose` in
// colorizer/inference/compose.py.

import { fToXyz, FROM_GRAY, toCode } from "./lab.js";
import { between, resize } from "./resize.js";

// 65,536 square roots of linear light -> the code value.
const CODES = Uint8Array.from({ length: 65536 }, (_, i) => Math.round(255 * toCode((i / 65535) ** 2)));

// Paints rows of a picture of `width` x `height`, in order or not.
// `coloring` is (h, w, 4): slope and offset of a and b; `vividness` a factor on both.
export function painter(coloring, h, w, width, height, vividness = 1) {
  if (width < w || height < h) {
    const less = [Math.min(h, height), Math.min(w, width)];
    coloring = resize(coloring, [h, w, 4], ...less);
    [h, w] = less;
  }
  // fx - fy = a / 500, fz - fy = -b / 200
  const scaled = new Float32Array(coloring.length);
  for (let i = 0; i < scaled.length; i++) scaled[i] = (vividness * coloring[i]) / (i % 2 ? -200 : 500);
  const down = between(h, height);
  const across = between(w, width);
  const line = new Float32Array(4 * w);
  const nextColumn = w > 1 ? 4 : 0;
  const [[rx, rz], [gx, gz], [bx, bz]] = FROM_GRAY;

  function row(L, at, y, first, last, out, to) {
    const [above, t] = [4 * w * down.low[y], down.share[y]];
    const below = h > 1 ? above + 4 * w : above;
    for (let i = 0; i < 4 * w; i++) line[i] = scaled[above + i] * (1 - t) + scaled[below + i] * t;
    for (let x = first; x < last; x++, at++, to += 4) {
      const left = 4 * across.low[x];
      const right = left + nextColumn;
      const s = across.share[x];
      const lightness = L[at];
      const fy = (lightness + 16) / 116;
      const slopeX = line[left] + s * (line[right] - line[left]);
      const slopeZ = line[left + 1] + s * (line[right + 1] - line[left + 1]);
      const offsetX = line[left + 2] + s * (line[right + 2] - line[left + 2]);
      const offsetZ = line[left + 3] + s * (line[right + 3] - line[left + 3]);
      const Y = fToXyz(fy);
      const dx = fToXyz(fy + lightness * slopeX + offsetX) - Y;
      const dz = fToXyz(fy + lightness * slopeZ + offsetZ) - Y;
      const r = rx * dx + rz * dz;
      const g = gx * dx + gz * dz;
      const b = bx * dx + bz * dz;
      let above1 = r > g ? r : g;
      if (b > above1) above1 = b;
      let below0 = r < g ? r : g;
      if (b < below0) below0 = b;
      let share = 1;
      if (above1 > 1e-9 && 1 - Y < above1) share = (1 - Y) / above1;
      if (below0 < -1e-9 && Y < -below0 * share) share = Y / -below0;
      out[to] = code(Y + share * r);
      out[to + 1] = code(Y + share * g);
      out[to + 2] = code(Y + share * b);
      out[to + 3] = 255;
    }
  }

  return {
    // L of `count` rows from `first` on -> RGBA in `out`
    rows(L, first, count, out) {
      for (let i = 0; i < count; i++) row(L, i * width, first + i, 0, width, out, 4 * i * width);
      return out;
    },
    // L of a part of row `y`, from `left` on
    part(L, y, left, out) {
      row(L, 0, y, left, left + L.length, out, 0);
    },
  };
}

const code = (light) => CODES[light > 0 ? (light < 1 ? (Math.sqrt(light) * 65535 + 0.5) | 0 : 65535) : 0];
