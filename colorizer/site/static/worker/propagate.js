// From a few hints to chroma everywhere: see colorizer/inference/propagate.py.

import { fitChroma, round } from "./chroma.js";
import { resize } from "./resize.js";

const FINEST = 64; // cells of the short side, at most
const MOST_ASKED = 128; // cells that likeness carries
const RIM = 0.2; // of a reach, over which it ends
const THIN = 2; // pixels of the working size, within which one place of a stroke is enough
const DAB = 2; // pixels of the working size, of the hint itself
const MANY = 2000; // places of hints
const EDGE = 5; // of lightness
const ROUNDS = 3;

// [height, width] of the grid on which hints spread, where features are (h, w).
export function grid(h, w) {
  const scale = Math.min(1, FINEST / Math.min(h, w));
  return [h, w].map((side) => Math.max(1, round(side * scale)));
}

// Hints on a grid; later ones lie over earlier ones.
export function mark({ points, regions }, h, w) {
  const count = h * w;
  const marks = { h, w, hold: new Uint8Array(count), ab: new Float64Array(2 * count), reach: new Float64Array(count).fill(Infinity) };
  for (const hint of points)
    for (const [x, y] of covered(hint, w, h)) {
      const { ab, reach } = hint;
      const at = Math.min(Math.floor(y), h - 1) * w + Math.min(Math.floor(x), w - 1);
      marks.hold[at] = 1;
      marks.ab.set(ab, 2 * at);
      marks.reach[at] = reach * Math.min(h, w);
    }
  const keep = { gray: new Float64Array(count).fill(1), predicted: new Float64Array(count).fill(1) };
  const apart = [];
  for (const region of regions) {
    const shares = inside(region.corners, h, w);
    if (region.keep === "apart") apart.push(shares);
    else shares.forEach((share, i) => (keep[region.keep][i] *= 1 - share));
  }
  return { ...marks, apart, color: keep.gray, change: keep.predicted.map((value, i) => value * keep.gray[i]) };
}

// The cells that speak for all on which something is said: neighbors of about one color have one.
export function spokesmen({ hold, ab, w }) {
  const said = [];
  hold.forEach((value, at) => value && said.push(at));
  let chosen = said;
  for (let block = 2; chosen.length > MOST_ASKED; block *= 2) {
    const first = new Map();
    for (const at of said) {
      const key = [Math.floor(at / w) / block, (at % w) / block, ab[2 * at] / 20, ab[2 * at + 1] / 20].map(Math.floor).join();
      if (!first.has(key)) first.set(key, at);
    }
    chosen = [...first.values()];
  }
  return chosen;
}

// Whether each place is one that a cell may change, 0..1; null where all are.
export function within({ reach, apart, h, w }, at) {
  if (reach[at] === Infinity && !apart.length) return null;
  const [row, column] = [Math.floor(at / w), at % w];
  return Float64Array.from({ length: h * w }, (_, i) => {
    const far = Math.hypot(Math.floor(i / w) - row, (i % w) - column);
    const near = reach[at] === Infinity ? 1 : Math.max(0, Math.min(1, (1 - far / reach[at]) / RIM));
    return apart.reduce((share, own) => share * (own[at] >= 0.5 ? own[i] : 1 - own[i]), near);
  });
}

// The share of a picture that a lone point changes by more than half of what it changes itself.
export function followers(L, h, w, coloring, cells, point, spread) {
  const marks = mark({ points: [point], regions: [] }, ...cells);
  const [small, now] = onGrid(L, h, w, coloring, cells);
  const own = marks.hold.indexOf(1);
  const most = Math.hypot(marks.ab[2 * own] - now[2 * own], marks.ab[2 * own + 1] - now[2 * own + 1]) / 2;
  const change = spread(small, now, marks);
  let count = 0;
  for (let i = 0; i < small.length; i++) if (Math.hypot(change[2 * i], change[2 * i + 1]) > most) count += 1;
  return count / small.length;
}

// L and ab of a coloring on the grid of the hints.
function onGrid(L, h, w, coloring, cells) {
  const ab = Float32Array.from({ length: 2 * h * w }, (_, i) => {
    const at = 4 * (i >> 1) + (i & 1);
    return coloring[at] * L[i >> 1] + coloring[at + 2];
  });
  return [resize(L, [h, w, 1], ...cells), resize(ab, [h, w, 2], ...cells)];
}

// A coloring (h, w, 4) that follows hints. L is (h, w); `spread` goes from L and ab of `cells`, and
// marks, to the change of ab there.
export function follow(L, h, w, coloring, cells, hints, spread) {
  const [rows, columns] = cells;
  const marks = mark(hints, rows, columns);
  const change = spread(...onGrid(L, h, w, coloring, cells), marks);
  const count = rows * columns;
  const planes = Float64Array.from({ length: 2 * count }, (_, i) => change[2 * (i % count) + (i >= count)] * marks.change[i % count]);
  const more = fitChroma(L, h, w, planes, rows, columns);
  const out = Float64Array.from(coloring, (value, i) => value + more[i]);
  exactly(L, h, w, out, hints.points);
  if (hints.regions.length) {
    const keep = resize(marks.color, [rows, columns, 1], h, w);
    for (let i = 0; i < out.length; i++) out[i] *= keep[i >> 2];
  }
  return Float32Array.from(out);
}

// Points along a line through places, no more than half a unit apart.
function along(places) {
  const points = [];
  for (let i = 1; i < places.length; i++) {
    const [[x0, y0], [x1, y1]] = [places[i - 1], places[i]];
    const steps = 1 + Math.floor(2 * Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)));
    for (let k = 0; k < steps; k++) points.push([x0 + ((x1 - x0) * k) / steps, y0 + ((y1 - y0) * k) / steps]);
  }
  return [...points, places.at(-1)];
}

// The places of a hint and what its brush covers, on a grid of cells.
function covered({ places, width }, w, h) {
  const line = along(places.map(([x, y]) => [x * w, y * h]));
  const radius = (width / 2) * Math.min(w, h);
  if (!(radius >= 1)) return line;
  const cells = new Map();
  for (const [x, y] of line) cells.set(`${Math.floor(x)} ${Math.floor(y)}`, [Math.floor(x), Math.floor(y)]);
  const found = new Map();
  const far = Math.floor(radius);
  for (const [x, y] of cells.values())
    for (let v = -far; v <= far; v++)
      for (let u = -far; u <= far; u++) {
        if (u * u + v * v > radius * radius || x + u < 0 || y + v < 0 || x + u >= w || y + v >= h) continue;
        found.set((x + u) * 65536 + y + v, [x + u + 0.5, y + v + 0.5]);
      }
  const order = [...found.keys()].sort((one, other) => one - other);
  return [...order.map((key) => found.get(key)), ...line];
}

// The share of each cell that lies in a polygon, by the even-odd rule on 4 x 4 samples.
function inside(corners, h, w) {
  const samples = new Uint8Array(16 * h * w);
  corners.forEach(([x0, y0], i) => {
    const [x1, y1] = corners[(i + 1) % corners.length];
    for (let row = 0; row < 4 * h; row++) {
      const y = (row + 0.5) / (4 * h);
      if (y0 > y === y1 > y) continue;
      const end = x0 + ((y - y0) * (x1 - x0)) / (y1 - y0);
      for (let column = 0; column < 4 * w && (column + 0.5) / (4 * w) < end; column++) samples[4 * w * row + column] ^= 1;
    }
  });
  const shares = new Float64Array(h * w);
  samples.forEach((value, i) => (shares[Math.floor(i / (16 * w)) * w + ((i % (4 * w)) >> 2)] += value / 16));
  return shares;
}

// Changes `out` so that it gives, at each place of a hint, exactly what that says, at any lightness.
function exactly(L, h, w, out, points) {
  const last = new Map(); // of places that nearly coincide, what was said last
  let count = 0;
  for (const hint of points)
    for (const place of covered(hint, w / THIN, h / THIN)) {
      const { ab } = hint;
      const [x, y] = [w, h].map((side, i) => Math.min(side - 1, Math.max(0, THIN * place[i] - 0.5)));
      last.set(`${Math.floor(y / THIN)} ${Math.floor(x / THIN)}`, { x, y, ab, order: count++ });
    }
  const told = [...last.values()].sort((one, other) => one.order - other.order);
  dab(L, h, w, out, told);
  const asked = new Float64Array(h * w);
  for (const one of told) {
    const [left, top] = [Math.floor(one.x), Math.floor(one.y)];
    const [right, bottom] = [Math.min(left + 1, w - 1), Math.min(top + 1, h - 1)];
    const [fx, fy] = [one.x - left, one.y - top];
    one.at = [top * w + left, top * w + right, bottom * w + left, bottom * w + right];
    one.share = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy];
    const own = one.at.reduce((sum, at, i) => sum + one.share[i] * L[at], 0);
    const near = one.at.map((at) => Math.exp(-((L[at] - own) ** 2) / (2 * EDGE ** 2)) + 1e-6);
    const total = near.reduce((sum, value, i) => sum + one.share[i] ** 2 * value, 0);
    one.way = near.map((value, i) => (one.share[i] * value) / total);
    one.at.forEach((at, i) => (asked[at] += one.share[i] > 0.01));
  }
  for (const at of told.flatMap((one) => one.at)) // chroma that does not follow lightness there
    for (const k of [0, 1]) {
      out[4 * at + 2 + k] += out[4 * at + k] * L[at];
      out[4 * at + k] = 0;
    }
  const total = new Float64Array(2 * h * w);
  for (let turn = 0; turn < ROUNDS; turn++) {
    total.fill(0);
    for (const { at, share, way, ab } of told)
      for (const k of [0, 1]) {
        const lacking = ab[k] - at.reduce((sum, one, i) => sum + share[i] * out[4 * one + 2 + k], 0);
        at.forEach((one, i) => (total[2 * one + k] += way[i] * lacking));
      }
    for (let i = 0; i < total.length; i++) out[4 * (i >> 1) + 2 + (i & 1)] += total[i] / Math.max(asked[i >> 1], 1);
  }
}

// A soft dab of each hint's own color on the pixels around it that are as light.
function dab(L, h, w, out, told) {
  const [most, total, sums] = [new Float64Array(h * w), new Float64Array(h * w), new Float64Array(2 * h * w)];
  const reach = told.length < MANY ? 3 * DAB : DAB; // many lie so near each other that they overlap
  for (const { x, y, ab } of told) {
    const [row, column] = [round(y), round(x)];
    const own = L[row * w + column];
    for (let v = Math.max(0, row - reach); v <= Math.min(h - 1, row + reach); v++)
      for (let u = Math.max(0, column - reach); u <= Math.min(w - 1, column + reach); u++) {
        const at = v * w + u;
        const far = ((v - row) ** 2 + (u - column) ** 2) / (2 * DAB ** 2);
        const share = Math.exp(-far - (L[at] - own) ** 2 / (2 * EDGE ** 2));
        most[at] = Math.max(most[at], share);
        total[at] += share;
        for (const k of [0, 1]) sums[2 * at + k] += share * ab[k];
      }
  }
  for (let i = 0; i < out.length; i++) {
    const at = i >> 2;
    out[i] *= 1 - most[at];
    if (i & 2) out[i] += (most[at] * sums[2 * at + (i & 1)]) / Math.max(total[at], 1e-9);
  }
}
