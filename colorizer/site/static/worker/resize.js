// Bilinear to an exact size, and averages where it shrinks, as libvips does it: see
// colorizer/pictures/resize.py. Arrays are (h, w, c), flat.

// How many samples are averaged before windows are laid over `n` of them to make `count`.
export const wholeOf = (n, count) => Math.max(1, Math.floor(n / count / 2));

// -> (height, width, c) Float32Array. Of H x W samples some may have been averaged already, as many as
// `wholeOf` says.
export function resize(values, [h, w, c], height, width, [H, W] = [h, w]) {
  if (width < W || height < H) {
    const [down, across] = [Math.min(height, H), Math.min(width, W)];
    const less = reduce(reduce(values, 1, h, w * c, down, H), down, w, c, across, W);
    return down === height && across === width ? less : resize(less, [down, across, c], height, width);
  }
  return spread(spread(values, 1, h, w * c, height), height, w, c, width);
}

// Between which two of n samples each of `count` lies, and the share of the second.
export function between(n, count) {
  const low = new Int32Array(count);
  const share = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = Math.min(n - 1, Math.max(0, ((i + 0.5) * n) / count - 0.5));
    low[i] = Math.min(Math.floor(at), Math.max(0, n - 2));
    share[i] = n > 1 ? at - low[i] : 0;
  }
  return { low, share };
}

// One axis of (outer, n, inner), more samples.
function spread(values, outer, n, inner, count) {
  if (count === n) return values instanceof Float32Array ? values : Float32Array.from(values);
  const { low, share } = between(n, count);
  const out = new Float32Array(outer * count * inner);
  const next = n > 1 ? inner : 0;
  for (let o = 0, to = 0; o < outer; o++)
    for (let i = 0; i < count; i++) {
      const from = (o * n + low[i]) * inner;
      const t = share[i];
      for (let j = 0; j < inner; j++, to++) out[to] = values[from + j] * (1 - t) + values[from + next + j] * t;
    }
  return out;
}

const PHASES = 64; // of a window between two samples

// One axis of (outer, n, inner), fewer samples: whole numbers of the `total` are averaged first.
function reduce(values, outer, n, inner, count, total) {
  if (count === total) return values instanceof Float32Array ? values : Float32Array.from(values);
  const whole = wholeOf(total, count);
  const shrink = total / count / whole;
  if (n === total && whole > 1) {
    values = average(values, outer, n, inner, whole);
    n = Math.ceil(n / whole);
  }
  if (shrink === 1) return values;
  const reach = Math.round(shrink);
  const points = 2 * reach + 1;
  const out = new Float32Array(outer * count * inner);
  const weights = new Float64Array(points);
  for (let i = 0; i < count; i++) {
    const at = (i + 0.5) * shrink;
    const first = Math.floor(at);
    const phase = ((Math.floor(at * 2 * PHASES) & (2 * PHASES - 1)) + 1) >> 1;
    const middle = phase / PHASES + points / 2 - 1;
    let sum = 0;
    for (let k = 0; k < points; k++) sum += weights[k] = Math.max(0, 1 - Math.abs(k - middle) / shrink);
    for (let o = 0; o < outer; o++) {
      const to = (o * count + i) * inner;
      for (let k = 0; k < points; k++) {
        const weight = weights[k] / sum;
        if (!weight) continue;
        const from = (o * n + Math.min(n - 1, Math.max(0, first + k - reach))) * inner;
        for (let j = 0; j < inner; j++) out[to + j] += values[from + j] * weight;
      }
    }
  }
  return out;
}

// Means of `whole` samples; the last is repeated where some are missing.
function average(values, outer, n, inner, whole) {
  const count = Math.ceil(n / whole);
  const out = new Float32Array(outer * count * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < count; i++) {
      const to = (o * count + i) * inner;
      for (let k = 0; k < whole; k++) {
        const from = (o * n + Math.min(n - 1, i * whole + k)) * inner;
        for (let j = 0; j < inner; j++) out[to + j] += values[from + j];
      }
      for (let j = 0; j < inner; j++) out[to + j] /= whole;
    }
  return out;
}
