// Chroma as a local linear function of lightness, from looks at the picture: see `fit_chroma` in
// colorizer/inference/compose.py, and colorizer/inference/predict.py.

import { resize } from "./resize.js";

const MULTIPLE = 32; // the network is fed sides that its strides divide
const LONGEST = 4; // the long side is at most this many times the working size
const SIZES = [1, 0.75, 1.25];
export const LARGEST = 1.25;

// Halves go to the even number, as in Python.
export function round(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

// [width, height] at which the network sees a picture.
export function workingSize(width, height, size) {
  const scale = Math.min(size / Math.min(width, height), (LONGEST * size) / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, round(side * scale)));
}

const reflected = (i, n) => {
  if (n === 1) return 0;
  const at = i % (2 * n - 2);
  return at < n ? at : 2 * n - 2 - at;
};

// Continues (h, w) by reflection, below and to the right: {values, height, width}.
export function pad(L, h, w) {
  const height = Math.ceil(h / MULTIPLE) * MULTIPLE;
  const width = Math.ceil(w / MULTIPLE) * MULTIPLE;
  const values = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const from = reflected(y, h) * w;
    for (let x = 0; x < width; x++) values[y * width + x] = L[from + reflected(x, w)];
  }
  return { values, height, width };
}

// The samples that cover the `side` of a picture, of the `n` that cover it padded: [low, high, share]
// each, as many as there are at the spacing of the n.
export function covering(n, side) {
  const cells = (n * side) / (Math.ceil(side / MULTIPLE) * MULTIPLE);
  const count = Math.max(1, round(cells));
  return Array.from({ length: count }, (_, i) => {
    const at = Math.min(n - 1, Math.max(0, ((i + 0.5) * cells) / count - 0.5));
    const low = Math.floor(at);
    return [low, Math.min(low + 1, n - 1), at - low];
  });
}

// What a network gave for a padded picture, on a grid that covers the picture (H, W): {values (h, w, c),
// h, w}.
export function overPicture({ values, count, height, width }, H, W) {
  const [rows, columns] = [covering(height, H), covering(width, W)];
  const out = new Float32Array(rows.length * columns.length * count);
  for (let c = 0; c < count; c++)
    rows.forEach(([top, bottom, t], y) =>
      columns.forEach(([left, right, s], x) => {
        const at = (v, u) => values[(c * height + v) * width + u];
        const above = at(top, left) * (1 - s) + at(top, right) * s;
        const below = at(bottom, left) * (1 - s) + at(bottom, right) * s;
        out[(y * columns.length + x) * count + c] = above * (1 - t) + below * t;
      }),
    );
  return { values: out, h: rows.length, w: columns.length };
}

// Mean over the part of a window of 3 that lies inside; over the first two axes of (h, w, c).
function box(values, h, w, c) {
  return boxAxis(boxAxis(values, 1, h, w * c), h, w, c);
}

function boxAxis(values, outer, n, inner) {
  const out = new Float64Array(values.length);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < n; i++) {
      const [low, high] = [Math.max(0, i - 1), Math.min(n - 1, i + 1)];
      const to = (o * n + i) * inner;
      for (let k = low; k <= high; k++)
        for (let j = 0; j < inner; j++) out[to + j] += values[(o * n + k) * inner + j];
      for (let j = 0; j < inner; j++) out[to + j] /= high - low + 1;
    }
  return out;
}

// L (H, W) and ab (2, h, w) -> (H, W, 4): slope of a and b, offset of a and b.
export function fitChroma(L, H, W, ab, h, w, epsilon = 40) {
  const count = h * w;
  const small = Float64Array.from(resize(L, [H, W, 1], h, w));
  const chroma = new Float64Array(2 * count);
  const products = new Float64Array(2 * count);
  for (let i = 0; i < count; i++)
    for (const k of [0, 1]) {
      chroma[2 * i + k] = ab[k * count + i];
      products[2 * i + k] = small[i] * ab[k * count + i];
    }
  const meanL = box(small, h, w, 1);
  const squares = box(small.map((value) => value * value), h, w, 1);
  const [meanChroma, meanProducts] = [box(chroma, h, w, 2), box(products, h, w, 2)];
  const slope = new Float64Array(2 * count);
  for (let i = 0; i < 2 * count; i++) {
    const m = meanL[i >> 1];
    slope[i] = (meanProducts[i] - m * meanChroma[i]) / (squares[i >> 1] - m * m + epsilon);
  }
  const smooth = box(slope, h, w, 2);
  const both = new Float32Array(4 * count);
  for (let i = 0; i < count; i++)
    for (const k of [0, 1]) {
      both[4 * i + k] = smooth[2 * i + k];
      both[4 * i + 2 + k] = chroma[2 * i + k] - smooth[2 * i + k] * small[i];
    }
  return resize(both, [h, w, 4], H, W);
}

// One look: L (h, w) -> (h, w, 4). `predict` takes {values, height, width} to {ab, height, width}.
export async function predictChroma(L, h, w, predict) {
  const padded = pad(L, h, w);
  const seen = await predict(padded);
  const found = fitChroma(padded.values, padded.height, padded.width, seen.ab, seen.height, seen.width);
  if (padded.width === w) return found.slice(0, 4 * h * w);
  const out = new Float32Array(4 * h * w);
  for (let y = 0; y < h; y++) out.set(found.subarray(4 * y * padded.width, 4 * (y * padded.width + w)), 4 * y * w);
  return out;
}

// Averaged over three sizes and mirror images. L is (H, W), at `LARGEST` times the working size.
export async function predictSteadily(L, H, W, [width, height], predict) {
  const total = new Float32Array(4 * height * width);
  for (const scale of SIZES) {
    const [h, w] = [height, width].map((side) => Math.max(1, round(side * scale)));
    const seen = resize(L, [H, W, 1], h, w);
    for (const flips of [false, true]) {
      let found = await predictChroma(flips ? mirrored(seen, h, w, 1) : seen, h, w, predict);
      if (flips) found = mirrored(found, h, w, 4);
      const part = resize(found, [h, w, 4], height, width);
      for (let i = 0; i < total.length; i++) total[i] += part[i];
    }
  }
  return total.map((value) => value / (2 * SIZES.length));
}

function mirrored(values, h, w, c) {
  const out = new Float32Array(values.length);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++)
      for (let k = 0; k < c; k++) out[(y * w + x) * c + k] = values[(y * w + w - 1 - x) * c + k];
  return out;
}
