// A JPEG at half, a quarter or an eighth of its size, as libjpeg decodes it for Python.
//
// libjpeg averages before it rounds; a browser gives pixels that are rounded already. But what was
// rounded can be had back: the cosine transform of a block lies near multiples of the file's own
// quantization steps, of which the nearest are what the file holds. From them on, the integers are
// those of libjpeg's jidctred.c. Chroma, of which less is seen, is averaged from pixels.

const COSINES = Float64Array.from({ length: 64 }, (_, i) => {
  const [k, n] = [i >> 3, i & 7];
  return Math.cos(((2 * n + 1) * k * Math.PI) / 16) * (k ? 0.5 : Math.sqrt(1 / 8));
});

// `read(x, y, w, h)` gives RGBA of the file as coded; `steps` are 64 of its first channel, in rows.
// -> {data, width, height}: RGBA
export function shrunk(read, W, H, shrink, steps) {
  const [width, height] = [Math.floor(W / shrink), Math.floor(H / shrink)]; // as libvips cuts it
  const data = new Uint8ClampedArray(4 * width * height);
  const side = 8 / shrink; // pixels of a block
  const rows = 64;
  const small = new Uint8ClampedArray(16);
  const luma = new Float64Array(64);
  for (let top = 0; top < H; top += rows) {
    const count = Math.min(rows, H - top);
    const band = read(0, top, W, count);
    average(band, W, count, shrink, data, width, top / shrink);
    for (let y = 0; steps && y + 8 <= count; y += 8)
      for (let x = 0; x + 8 <= W; x += 8) {
        for (let i = 0, at = 4 * (y * W + x); i < 64; i += 8, at += 4 * W)
          for (let j = 0; j < 8; j++) {
            const from = at + 4 * j;
            luma[i + j] = 0.299 * band[from] + 0.587 * band[from + 1] + 0.114 * band[from + 2] - 128;
          }
        decode(luma, steps, side, small);
        place(data, 4 * (((top + y) / shrink) * width + x / shrink), 4 * width, side, small);
      }
  }
  return { data, width, height };
}

// Means of squares of pixels, rounded.
function average(band, W, count, shrink, data, width, first) {
  const n = shrink * shrink;
  for (let y = 0; (y + 1) * shrink <= count; y++)
    for (let x = 0; x < width; x++) {
      let [r, g, b] = [0, 0, 0];
      for (let v = y * shrink; v < (y + 1) * shrink; v++)
        for (let u = x * shrink, at = 4 * (v * W + u); u < (x + 1) * shrink; u++, at += 4) {
          r += band[at];
          g += band[at + 1];
          b += band[at + 2];
        }
      const to = 4 * ((first + y) * width + x);
      data[to] = r / n;
      data[to + 1] = g / n;
      data[to + 2] = b / n;
      data[to + 3] = 255;
    }
}

// Moves averaged pixels to the lightness that the file has; their differences stay.
function place(data, to, line, side, small) {
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const at = to + y * line + 4 * x;
      const [r, g, b] = [data[at], data[at + 1], data[at + 2]];
      const more = small[y * side + x] - (r === g && g === b ? r : 0.299 * r + 0.587 * g + 0.114 * b);
      data[at] = r + more;
      data[at + 1] = g + more;
      data[at + 2] = b + more;
    }
}

const rowsOf = new Float64Array(64);
const held = new Int32Array(64); // what the file holds of a block, times its steps
const space = new Int32Array(32);

// The block at `side` pixels, into `out`.
function decode(luma, steps, side, out) {
  if (side === 1) {
    let sum = 0;
    for (let i = 0; i < 64; i++) sum += luma[i];
    out[0] = ((Math.round(sum / 8 / steps[0]) * steps[0] + 4) >> 3) + 128;
    return;
  }
  for (let y = 0; y < 8; y++)
    for (let k = 0; k < 8; k++) {
      let sum = 0;
      for (let n = 0; n < 8; n++) sum += COSINES[8 * k + n] * luma[8 * y + n];
      rowsOf[8 * y + k] = sum;
    }
  for (let j = 0; j < 8; j++)
    for (let k = 0; k < 8; k++) {
      let sum = 0;
      for (let n = 0; n < 8; n++) sum += COSINES[8 * k + n] * rowsOf[8 * n + j];
      held[8 * k + j] = Math.round(sum / steps[8 * k + j]) * steps[8 * k + j];
    }
  const line = side === 4 ? four : two;
  const shift = side === 4 ? 1 : 2;
  for (let j = 0; j < 8; j++) line(held, j, 8, space, j, 8, 11 + shift);
  for (let y = 0; y < side; y++) line(space, 8 * y, 1, out, side * y, 1, 18 + shift, 128);
}

// Eight values to the four means of two.
function four(from, at, by, to, start, next, shift, more = 0) {
  const c = (k) => from[at + k * by];
  const even = c(0) << 14;
  const a = c(2) * 15137 - c(6) * 6270;
  const b = -c(7) * 1730 + c(5) * 11893 - c(3) * 17799 + c(1) * 8697;
  const d = -c(7) * 4176 - c(5) * 4926 + c(3) * 7373 + c(1) * 20995;
  const half = 1 << (shift - 1);
  to[start] = ((even + a + d + half) >> shift) + more;
  to[start + 3 * next] = ((even + a - d + half) >> shift) + more;
  to[start + next] = ((even - a + b + half) >> shift) + more;
  to[start + 2 * next] = ((even - a - b + half) >> shift) + more;
}

// Eight values to the two means of four.
function two(from, at, by, to, start, next, shift, more = 0) {
  const c = (k) => from[at + k * by];
  const even = c(0) << 15;
  const odd = -c(7) * 5906 + c(5) * 6967 - c(3) * 10426 + c(1) * 29692;
  const half = 1 << (shift - 1);
  to[start] = ((even + odd + half) >> shift) + more;
  to[start + next] = ((even - odd + half) >> shift) + more;
}
