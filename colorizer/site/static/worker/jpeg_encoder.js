// A JPEG of rows as they come: baseline, no chroma left out, as libjpeg writes it at quality 95.
//
// A canvas would halve the chroma, and holds no more than a phone gives it; this holds 8 rows.
// Source: ITU T.81; the integers of libjpeg's jccolor.c, jfdctint.c and jcparam.c.

const QUALITY = 95;
const LUMINANCE = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68,
  109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMINANCE = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
  ...Array(32).fill(99),
];
export const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43,
  36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
// Of each table how many codes have 1, 2, ... 16 bits, and what they stand for.
const DC_LUMINANCE = [[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], "000102030405060708090a0b"];
const DC_CHROMINANCE = [[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], "000102030405060708090a0b"];
const AC_LUMINANCE = [
  [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
  "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a" +
    "535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7" +
    "c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
];
const AC_CHROMINANCE = [
  [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
  "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a43444546474849" +
    "4a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5" +
    "c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
];
const CHUNK = 1 << 18;
const MOST = 65535; // pixels of a side

const bytesOf = (hex) => hex.match(/../g).map((pair) => parseInt(pair, 16));
const scaled = (table) => table.map((value) => Math.min(255, Math.max(1, Math.floor((value * (200 - 2 * QUALITY) + 50) / 100))));

// For each symbol its code, with its length in the bits above 16.
function codesOf([counts, hex]) {
  const codes = new Int32Array(256);
  const symbols = bytesOf(hex);
  let code = 0;
  let at = 0;
  counts.forEach((count, i) => {
    for (let k = 0; k < count; k++) codes[symbols[at++]] = ((i + 1) << 16) | code++;
    code <<= 1;
  });
  return codes;
}

const segment = (marker, content) => [0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255, ...content];

export class JpegEncoder {
  // `segments`: bytes of what stands before the tables, such as metadata; see jpeg_file.js.
  constructor(width, height, segments) {
    if (Math.max(width, height) > MOST) throw new Error(`JPEG holds sides of at most ${MOST} pixels, and this picture has ${width} x ${height}; choose PNG.`);
    this.width = width;
    this.blocks = Math.ceil(width / 8);
    this.parts = [Uint8Array.from([0xff, 0xd8]), ...segments];
    this.tables = [scaled(LUMINANCE), scaled(CHROMINANCE)];
    this.codes = [DC_LUMINANCE, AC_LUMINANCE, DC_CHROMINANCE, AC_CHROMINANCE].map(codesOf);
    this.parts.push(Uint8Array.from(this.#head(width, height)));
    this.last = [0, 0, 0]; // DC of the block before, of each channel
    this.planes = [0, 1, 2].map(() => new Uint8Array(64 * this.blocks)); // of 8 rows
    this.held = 0; // of them
    this.chunk = new Uint8Array(CHUNK);
    this.at = 0;
    this.bits = 0;
    this.count = 0;
  }

  #head(width, height) {
    const two = (n) => [n >> 8, n & 255];
    const quantized = this.tables.flatMap((table, i) => segment(0xdb, [i, ...ZIGZAG.map((from) => table[from])]));
    const frame = segment(0xc0, [8, ...two(height), ...two(width), 3, ...[0, 1, 2].flatMap((i) => [i + 1, 0x11, i ? 1 : 0])]);
    const kinds = [[0x00, DC_LUMINANCE], [0x10, AC_LUMINANCE], [0x01, DC_CHROMINANCE], [0x11, AC_CHROMINANCE]];
    const huffman = kinds.flatMap(([kind, [counts, hex]]) => segment(0xc4, [kind, ...counts, ...bytesOf(hex)]));
    return [...quantized, ...frame, ...huffman, ...segment(0xda, [3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0])];
  }

  // Takes `count` rows of RGBA.
  write(pixels, count) {
    const { width, planes } = this;
    const across = 8 * this.blocks;
    const [Y, U, V] = planes;
    for (let row = 0, at = 0; row < count; row++) {
      let to = this.held * across;
      for (let x = 0; x < width; x++, at += 4, to++) {
        const [r, g, b] = [pixels[at], pixels[at + 1], pixels[at + 2]];
        Y[to] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
        U[to] = (-11059 * r - 21709 * g + 32768 * b + 8421375) >> 16;
        V[to] = (32768 * r - 27439 * g - 5329 * b + 8421375) >> 16;
      }
      const rest = across - width;
      if (rest) for (const plane of planes) plane.fill(plane[to - 1], to, to + rest);
      this.held += 1;
      if (this.held === 8) this.#band();
    }
  }

  // The parts of the file.
  end() {
    if (this.held) {
      const across = 8 * this.blocks;
      for (const plane of this.planes)
        for (let row = this.held; row < 8; row++) plane.copyWithin(row * across, (this.held - 1) * across, this.held * across);
      this.#band();
    }
    this.#put(0x7f, 7); // ones up to a whole byte
    this.#flush(8);
    this.#room();
    this.chunk[this.at++] = 0xff;
    this.chunk[this.at++] = 0xd9;
    this.parts.push(this.chunk.subarray(0, this.at));
    return this.parts;
  }

  #band() {
    for (let block = 0; block < this.blocks; block++)
      for (let channel = 0; channel < 3; channel++) {
        const kind = channel ? 1 : 0;
        transform(this.planes[channel], 8 * block, 8 * this.blocks);
        this.last[channel] = this.#encode(this.tables[kind], this.codes[2 * kind], this.codes[2 * kind + 1], this.last[channel]);
      }
    this.held = 0;
  }

  #encode(table, dc, ac, before) {
    this.#room();
    const first = quantize(SPACE[0], table[0]);
    this.#value(dc, 0, first - before);
    let zeros = 0;
    for (let k = 1; k < 64; k++) {
      const place = ZIGZAG[k];
      const value = quantize(SPACE[place], table[place]);
      if (!value) {
        zeros += 1;
        continue;
      }
      while (zeros > 15) {
        this.#put(ac[0xf0] & 0xffff, ac[0xf0] >> 16);
        zeros -= 16;
      }
      this.#value(ac, zeros << 4, value);
      zeros = 0;
    }
    if (zeros) this.#put(ac[0] & 0xffff, ac[0] >> 16);
    return first;
  }

  #value(codes, run, value) {
    const size = value ? 32 - Math.clz32(Math.abs(value)) : 0;
    const code = codes[run | size];
    this.#put(code & 0xffff, code >> 16);
    if (size) this.#put((value < 0 ? value - 1 : value) & ((1 << size) - 1), size);
  }

  #put(value, count) {
    this.bits = (this.bits << count) | value; // never more than 7 + 16
    this.count += count;
    this.#flush(8);
  }

  #flush(most) {
    while (this.count >= most) {
      const byte = (this.bits >> (this.count - 8)) & 255;
      this.chunk[this.at++] = byte;
      if (byte === 255) this.chunk[this.at++] = 0;
      this.count -= 8;
    }
    this.bits &= (1 << this.count) - 1;
  }

  // For one more block, whatever it is.
  #room() {
    if (this.at + 1024 < CHUNK) return;
    this.parts.push(this.chunk.slice(0, this.at));
    this.at = 0;
  }
}

function quantize(value, step) {
  const by = step << 3;
  return value < 0 ? -Math.trunc((-value + (by >> 1)) / by) : Math.trunc((value + (by >> 1)) / by);
}

// The cosine transform of jfdctint.c, eight times as large, into SPACE.
const SPACE = new Int32Array(64);
const [A, B, C, D, E, F, G, H, I, J, K, L] = [2446, 16819, 25172, 12299, 7373, 20995, 16069, 3196, 4433, 6270, 15137, 9633];

function transform(plane, from, across) {
  for (let row = 0, at = from; row < 8; row++, at += across) {
    const t0 = plane[at] + plane[at + 7];
    const t7 = plane[at] - plane[at + 7];
    const t1 = plane[at + 1] + plane[at + 6];
    const t6 = plane[at + 1] - plane[at + 6];
    const t2 = plane[at + 2] + plane[at + 5];
    const t5 = plane[at + 2] - plane[at + 5];
    const t3 = plane[at + 3] + plane[at + 4];
    const t4 = plane[at + 3] - plane[at + 4];
    line(8 * row, 1, t0 - 256, t1 - 256, t2 - 256, t3 - 256, t4, t5, t6, t7, 11, true);
  }
  for (let column = 0; column < 8; column++) {
    const s = SPACE;
    const t0 = s[column] + s[column + 56];
    const t7 = s[column] - s[column + 56];
    const t1 = s[column + 8] + s[column + 48];
    const t6 = s[column + 8] - s[column + 48];
    const t2 = s[column + 16] + s[column + 40];
    const t5 = s[column + 16] - s[column + 40];
    const t3 = s[column + 24] + s[column + 32];
    const t4 = s[column + 24] - s[column + 32];
    line(column, 8, t0, t1, t2, t3, t4, t5, t6, t7, 15, false);
  }
}

// One line of eight: sums t0..t3 and differences t4..t7 of opposite ends.
function line(at, by, t0, t1, t2, t3, t4, t5, t6, t7, shift, isFirst) {
  const half = 1 << (shift - 1);
  const t10 = t0 + t3;
  const t13 = t0 - t3;
  const t11 = t1 + t2;
  const t12 = t1 - t2;
  if (isFirst) {
    SPACE[at] = (t10 + t11) << 2;
    SPACE[at + 4 * by] = (t10 - t11) << 2;
  } else {
    SPACE[at] = (t10 + t11 + 2) >> 2;
    SPACE[at + 4 * by] = (t10 - t11 + 2) >> 2;
  }
  const z = (t12 + t13) * I;
  SPACE[at + 2 * by] = (z + t13 * J + half) >> shift;
  SPACE[at + 6 * by] = (z - t12 * K + half) >> shift;
  const z5 = (t4 + t6 + t5 + t7) * L;
  const z1 = -(t4 + t7) * E;
  const z2 = -(t5 + t6) * F;
  const z3 = z5 - (t4 + t6) * G;
  const z4 = z5 - (t5 + t7) * H;
  SPACE[at + 7 * by] = (t4 * A + z1 + z3 + half) >> shift;
  SPACE[at + 5 * by] = (t5 * B + z2 + z4 + half) >> shift;
  SPACE[at + 3 * by] = (t6 * C + z2 + z3 + half) >> shift;
  SPACE[at + by] = (t7 * D + z1 + z4 + half) >> shift;
}
