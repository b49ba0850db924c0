// Learnt likeness: which of the hints a place follows, and how far. See colorizer/inference/likeness.py.

import { spokesmen, within } from "./propagate.js";

const PAIR = 10; // numbers about a place and a hint
const EVEN = 0.6; // of the prediction's differences within a thing, the share that a hint evens out
const STEP = [0.3, 0.02]; // what a step of a way costs at least: lightness, features
const FAR = [[8, 30], [0.6, 2]]; // costs of ways that count as 1, of each
const ROUNDS = 2; // of sweeps

export class Likeness {
  // `bytes`: of likeness.safetensors
  constructor(bytes) {
    this.of = tensors(bytes);
    this.heads = this.of.get("pair.0").inputs - PAIR;
  }

  // What is asked of each place; L (h, w), features (h, w, c).
  look(L, features, h, w) {
    const count = h * w;
    const c = features.length / count;
    const seen = new Float32Array(count * (c + 1));
    for (let i = 0; i < count; i++) {
      let squares = 0;
      for (let k = 0; k < c; k++) squares += features[i * c + k] ** 2;
      const rms = Math.sqrt(squares / c) + 1e-3;
      for (let k = 0; k < c; k++) seen[i * (c + 1) + k] = features[i * c + k] / rms;
      seen[i * (c + 1) + c] = L[i] / 50 - 1;
    }
    const inner = this.#linear("place", seen).map(Math.tanh);
    const [query, key] = ["query", "key"].map((name) => {
      const found = this.#linear(name, inner);
      return unit(found, found.length / count / this.heads);
    });
    return { h, w, query, key, none: this.#linear("none", inner), ways: steps(L, unit(features, c), h, w), ab: [], kept: new Map() };
  }

  // By how much to change a prediction `ab` (h, w, 2) so that places alike follow the marks.
  carry(alike, L, ab, marks) {
    const count = L.length;
    const change = new Float64Array(2 * count);
    const cells = spokesmen(marks);
    const differences = cells.map((at) => [0, 1].map((k) => marks.ab[2 * at + k] - ab[2 * at + k]));
    const judged = this.#judged(alike, L, ab, cells, differences);
    const most = Float64Array.from(alike.none);
    for (const { score } of judged) for (let i = 0; i < count; i++) if (score[i] > most[i]) most[i] = score[i];
    const total = most.map((value, i) => Math.exp(alike.none[i] - value));
    const all = cells.map((cell) => within(marks, cell));
    judged.forEach(({ score }, m) => {
      for (let i = 0; i < count; i++) total[i] += Math.exp(score[i] - most[i]) * (all[m] ? all[m][i] : 1);
    });
    judged.forEach(({ score, gate }, m) => {
      const allowed = all[m]; // a hint takes nothing from the others where it may change nothing
      const [a, b] = differences[m].map((value, k) => value + EVEN * ab[2 * cells[m] + k]);
      for (let i = 0; i < count; i++) {
        const followed = (Math.exp(score[i] - most[i]) / Math.max(total[i], 1e-30)) * gate[i] * (allowed ? allowed[i] ** 2 : 1);
        change[2 * i] += followed * (a - EVEN * ab[2 * i]);
        change[2 * i + 1] += followed * (b - EVEN * ab[2 * i + 1]);
      }
    });
    return change;
  }

  // Score and gate of each place for each hint; those of hints that were there the last time are kept.
  #judged(alike, L, ab, cells, differences) {
    if (alike.ab.length !== ab.length || ab.some((value, i) => value !== alike.ab[i])) alike.kept.clear();
    alike.ab = ab;
    const keys = cells.map((at, m) => `${at} ${differences[m]}`);
    const kept = new Map(keys.map((key, m) => [key, alike.kept.get(key) || this.#judge(alike, L, ab, cells[m], differences[m])]));
    alike.kept = kept;
    return keys.map((key) => kept.get(key));
  }

  #judge(alike, L, ab, cell, difference) {
    const { h, w, query, key } = alike;
    const { heads } = this;
    const d = key.length / L.length / heads;
    const told = pairs(L, ab, h, w, cell, difference, eases(alike.ways, h, w, cell));
    const [first, second, third] = ["pair.0", "pair.2", "pair.4"].map((name) => this.of.get(name));
    const input = new Float32Array(first.inputs);
    const inner = [first, second, third].map(({ outputs }) => new Float32Array(outputs));
    const [score, gate] = [new Float32Array(L.length), new Float32Array(L.length)];
    for (let i = 0; i < L.length; i++) {
      for (let head = 0; head < heads; head++) {
        let sum = 0;
        for (let k = 0; k < d; k++) sum += query[(i * heads + head) * d + k] * key[(cell * heads + head) * d + k];
        input[head] = 4 * sum;
      }
      for (let k = 0; k < PAIR; k++) input[heads + k] = told[i * PAIR + k];
      apply(first, input, 0, inner[0], 0, true);
      apply(second, inner[0], 0, inner[1], 0, true);
      apply(third, inner[1], 0, inner[2], 0, false);
      score[i] = 3 * inner[2][0];
      gate[i] = 1 / (1 + Math.exp(-inner[2][1] - 2));
    }
    return { score, gate };
  }

  #linear(name, values) {
    const layer = this.of.get(name);
    const count = values.length / layer.inputs;
    const out = new Float32Array(count * layer.outputs);
    for (let i = 0; i < count; i++) apply(layer, values, i * layer.inputs, out, i * layer.outputs, false);
    return out;
  }
}

function apply({ weight, bias, inputs, outputs }, values, from, out, to, isCut) {
  let o = 0;
  for (; o + 4 <= outputs; o += 4) { // four sums at a time do not wait for each other
    const first = o * inputs;
    const second = first + inputs;
    const third = second + inputs;
    const fourth = third + inputs;
    let s = bias[o];
    let t = bias[o + 1];
    let u = bias[o + 2];
    let v = bias[o + 3];
    for (let k = 0; k < inputs; k++) {
      const value = values[from + k];
      s += weight[first + k] * value;
      t += weight[second + k] * value;
      u += weight[third + k] * value;
      v += weight[fourth + k] * value;
    }
    out[to + o] = isCut && s < 0 ? 0 : s;
    out[to + o + 1] = isCut && t < 0 ? 0 : t;
    out[to + o + 2] = isCut && u < 0 ? 0 : u;
    out[to + o + 3] = isCut && v < 0 ? 0 : v;
  }
  for (; o < outputs; o++) {
    let sum = bias[o];
    for (let k = 0; k < inputs; k++) sum += weight[o * inputs + k] * values[from + k];
    out[to + o] = isCut && sum < 0 ? 0 : sum;
  }
}

// The same directions, of length 1; over the last axis, of `size`.
function unit(values, size) {
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i += size) {
    let squares = 0;
    for (let k = i; k < i + size; k++) squares += values[k] ** 2;
    const length = Math.sqrt(squares) + 1e-6;
    for (let k = i; k < i + size; k++) out[k] = values[k] / length;
  }
  return out;
}

// What is known of a hint on a cell and of each place: (h * w, PAIR).
export function pairs(L, ab, h, w, cell, difference, ways) {
  const [row, column] = [Math.floor(cell / w), cell % w];
  const change = Math.hypot(...difference) / 40;
  const out = new Float32Array(PAIR * h * w);
  for (let i = 0; i < h * w; i++) {
    const far = Math.hypot(Math.floor(i / w) - row, (i % w) - column) / Math.min(h, w);
    const lighter = (L[i] - L[cell]) / 25;
    const unlike = Math.hypot(ab[2 * i] - ab[2 * cell], ab[2 * i + 1] - ab[2 * cell + 1]) / 25;
    out.set([far, Math.exp(-40 * far * far), lighter, Math.abs(lighter), unlike, change], PAIR * i);
    for (let k = 0; k < 4; k++) out[PAIR * i + 6 + k] = 2 * ways[4 * i + k];
  }
  return out;
}

// What a step costs from each place to the next: of lightness, and of features (h, w, c), of length 1.
export function steps(L, kinds, h, w) {
  const c = kinds.length / L.length;
  const found = [0, 1].map(() => ({ right: new Float32Array(L.length), down: new Float32Array(L.length) }));
  for (let i = 0; i < L.length; i++)
    for (const [name, next] of [["right", i % w < w - 1 ? i + 1 : i], ["down", i + w < L.length ? i + w : i]]) {
      let squares = 0;
      for (let k = 0; k < c; k++) squares += (kinds[next * c + k] - kinds[i * c + k]) ** 2;
      found[0][name][i] = Math.abs(L[next] - L[i]) + STEP[0];
      found[1][name][i] = Math.sqrt(squares) + STEP[1];
    }
  return found;
}

// How easily each place is reached from a cell without crossing edges: (h * w, 4), 0..1.
export function eases(found, h, w, cell) {
  const out = new Float32Array(4 * h * w);
  found.forEach(({ right, down }, kind) => {
    const cost = new Float32Array(h * w).fill(1e6);
    cost[cell] = 0;
    const reachRow = (row, before) => {
      const from = row * w;
      if (before !== row) for (let x = 0; x < w; x++) cost[from + x] = Math.min(cost[from + x], cost[before * w + x] + down[Math.min(row, before) * w + x]);
      for (let i = from + 1; i < from + w; i++) cost[i] = Math.min(cost[i], cost[i - 1] + right[i - 1]);
      for (let i = from + w - 2; i >= from; i--) cost[i] = Math.min(cost[i], cost[i + 1] + right[i]);
    };
    for (let turn = 0; turn < ROUNDS; turn++) {
      for (let row = 0; row < h; row++) reachRow(row, Math.max(0, row - 1));
      for (let row = h - 2; row >= 0; row--) reachRow(row, row + 1);
    }
    FAR[kind].forEach((far, k) => cost.forEach((value, i) => (out[4 * i + 2 * kind + k] = Math.exp(-value / far))));
  });
  return out;
}

// Layers by name, {weight, bias, inputs, outputs}, of a safetensors file.
function tensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const layers = new Map();
  for (const [name, { dtype, shape, data_offsets: place }] of Object.entries(entries)) {
    if (name === "__metadata__") continue;
    const size = { F16: 2, F32: 4 }[dtype];
    const at = (i) => start + place[0] + i * size;
    const values = Float32Array.from({ length: (place[1] - place[0]) / size }, (_, i) => (size === 2 ? half(view.getUint16(at(i), true)) : view.getFloat32(at(i), true)));
    const [, layer, kind] = name.match(/^(.*)\.(weight|bias)$/);
    if (!layers.has(layer)) layers.set(layer, {});
    layers.get(layer)[kind] = values;
    if (kind === "weight") Object.assign(layers.get(layer), { outputs: shape[0], inputs: shape[1] });
  }
  return layers;
}

// A number of half precision; there are no infinite ones among weights.
function half(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const value = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return bits & 0x8000 ? -value : value;
}
