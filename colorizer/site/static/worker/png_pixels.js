// The pixels of a PNG with transparency: a canvas would multiply its colors by it, and lose them.
// Source: PNG specification (third edition), sections 7, 9 and 11.

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

// Whether they are read here: not those of 16 bits, nor interlaced ones.
export const decodes = ({ bits, isInterlaced, hasAlpha }) => hasAlpha && bits <= 8 && !isInterlaced;

// {width, height, data} of RGBA; throws where the file is damaged.
export async function decode(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const { frame, palette, clear, packed } = chunks(bytes);
  const { width, height, bits, color } = frame;
  const channels = CHANNELS[color];
  const data = new Uint8ClampedArray(4 * width * height);
  const expand = expander(color, bits, palette, clear);
  const step = Math.max(1, (channels * bits) >> 3);
  const size = Math.ceil((width * channels * bits) / 8);
  let [line, before, at, row] = [new Uint8Array(size + 1), new Uint8Array(size + 1), 0, 0];
  for (const reader = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate")).getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    for (let from = 0; from < value.length && row < height; ) {
      const count = Math.min(size + 1 - at, value.length - from);
      line.set(value.subarray(from, from + count), at);
      at += count;
      from += count;
      if (at <= size) break;
      unfilter(line, before, step);
      expand(line, data, 4 * width * row, width);
      [line, before, at, row] = [before, line, 0, row + 1];
    }
  }
  if (row < height) throw new Error("rows are missing");
  return { width, height, data, close() {} };
}

function chunks(bytes) {
  const view = new DataView(bytes.buffer);
  const found = { frame: null, palette: null, clear: null, packed: [] };
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + view.getUint32(at));
    if (kind === "IHDR") found.frame = { width: view.getUint32(at + 8), height: view.getUint32(at + 12), bits: content[8], color: content[9] };
    else if (kind === "PLTE") found.palette = content;
    else if (kind === "tRNS") found.clear = content;
    else if (kind === "IDAT") found.packed.push(content);
  }
  return found;
}

// A line, whose first byte says what was subtracted from the others.
function unfilter(line, before, step) {
  const kind = line[0];
  if (kind > 4) throw new Error("an unknown filter");
  for (let i = 1; i < line.length; i++) {
    const left = i > step ? line[i - step] : 0;
    const above = before[i];
    if (kind === 1) line[i] += left;
    else if (kind === 2) line[i] += above;
    else if (kind === 3) line[i] += (left + above) >> 1;
    else if (kind === 4) line[i] += nearest(left, above, i > step ? before[i - step] : 0);
  }
}

function nearest(left, above, corner) {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

// Writes the pixels of a line as RGBA.
function expander(color, bits, palette, clear) {
  const most = 2 ** bits - 1;
  const code = (line, i) => (bits === 8 ? line[1 + i] : (line[1 + ((i * bits) >> 3)] >> (8 - bits - ((i * bits) & 7))) & most);
  const two = (i) => (clear ? (clear[2 * i] << 8) | clear[2 * i + 1] : -1);
  const see = [two(0), two(1), two(2)];
  const put = (data, at, r, g, b, alpha) => {
    data[at] = r;
    data[at + 1] = g;
    data[at + 2] = b;
    data[at + 3] = alpha;
  };
  const one = {
    0(line, x, data, at) {
      const value = code(line, x);
      const gray = (value * 255) / most;
      put(data, at, gray, gray, gray, value === see[0] ? 0 : 255);
    },
    2(line, x, data, at) {
      const [r, g, b] = [line[1 + 3 * x], line[2 + 3 * x], line[3 + 3 * x]];
      put(data, at, r, g, b, r === see[0] && g === see[1] && b === see[2] ? 0 : 255);
    },
    3(line, x, data, at) {
      const i = code(line, x);
      put(data, at, palette[3 * i], palette[3 * i + 1], palette[3 * i + 2], clear?.[i] ?? 255);
    },
    4(line, x, data, at) {
      const gray = line[1 + 2 * x];
      put(data, at, gray, gray, gray, line[2 + 2 * x]);
    },
    6(line, x, data, at) {
      put(data, at, line[1 + 4 * x], line[2 + 4 * x], line[3 + 4 * x], line[4 + 4 * x]);
    },
  }[color];
  return (line, data, at, width) => {
    for (let x = 0; x < width; x++) one(line, x, data, at + 4 * x);
  };
}
