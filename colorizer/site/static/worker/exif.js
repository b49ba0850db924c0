// EXIF blocks, changed in place where they described the old pixels: see `tidied` in
// colorizer/pictures/metadata/exif.py.

const [EXIF, INTEROP] = [0x8769, 0xa005];
const ORIENTATION = 274;
const [ACROSS, DOWN, UNIT] = [282, 283, 296];
const WIDTHS = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4]; // bytes of a number of each kind
const MOST_ENTRIES = 1000;

// Tags that describe pixels and their coding, or hold pixels; but not the orientation.
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const CODING = new Set([
  ...range(254, 260), 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293, 301, ...range(317, 329), 330, 332, 333,
  334, 336, 338, ...range(339, 348), 351, ...range(512, 522), 529, 530, 531, 532, 559, 32995, 32996, 32997, 32998, 34232, 34675, 37724, 52545,
]);

// The directories of a block, read and changed in place.
class Tags {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const order = String.fromCharCode(bytes[0], bytes[1]);
    if (order !== "II" && order !== "MM") throw new Error("no EXIF block");
    this.little = order === "II";
    if (this.#two(2) !== 42) throw new Error("no EXIF block");
    this.first = this.#four(4);
  }

  #two = (at) => this.view.getUint16(at, this.little);
  #four = (at) => this.view.getUint32(at, this.little);

  // Entries of the directory at a place, and where the next one is.
  directory(at) {
    const count = this.#two(at);
    if (!at || count > MOST_ENTRIES) throw new Error("a damaged directory");
    const entries = range(0, count).map((i) => {
      const place = at + 2 + 12 * i;
      return { tag: this.#two(place), kind: this.#two(place + 2), count: this.#four(place + 4), place };
    });
    return { at, entries, next: this.#four(at + 2 + 12 * count) };
  }

  below(directory, tag) {
    const entry = directory.entries.find((one) => one.tag === tag);
    try {
      return entry ? this.directory(this.#four(entry.place + 8)) : null;
    } catch {
      return null; // points to nonsense, as it did before
    }
  }

  #valueAt({ kind, count, place }) {
    return (WIDTHS[kind] || 1) * count > 4 ? this.#four(place + 8) : place + 8;
  }

  number(entry) {
    const at = this.#valueAt(entry);
    if (entry.kind === 3) return this.#two(at);
    if (entry.kind === 4) return this.#four(at);
    if (entry.kind === 5) return this.#four(at) / this.#four(at + 4);
    return this.bytes[at];
  }

  // One whole number; a short becomes a long where it is too large for it.
  set({ count, kind, place }, value) {
    if (count !== 1 && kind !== 3 && kind !== 4) return;
    const isLong = kind === 4 || value > 0xffff;
    this.view.setUint16(place + 2, isLong ? 4 : 3, this.little);
    this.view.setUint32(place + 4, 1, this.little);
    this.view.setUint32(place + 8, 0, this.little);
    if (isLong) this.view.setUint32(place + 8, value, this.little);
    else this.view.setUint16(place + 8, value, this.little);
  }

  text({ place }, value) {
    this.view.setUint16(place + 2, 2, this.little);
    this.view.setUint32(place + 4, value.length, this.little);
    for (let i = 0; i < 4; i++) this.bytes[place + 8 + i] = value.charCodeAt(i);
  }

  exchange(entries, one, other) {
    const [a, b] = [one, other].map((wanted) => entries.find(({ tag }) => tag === wanted));
    if (!a || !b) return;
    const held = this.bytes.slice(a.place + 2, a.place + 12);
    this.bytes.copyWithin(a.place + 2, b.place + 2, b.place + 12);
    this.bytes.set(held, b.place + 2);
  }

  // Keeps the entries whose tag passes, in their order, and says where the next directory is.
  keep({ at, entries, next }, passes, following = next) {
    const kept = entries.filter(({ tag }) => passes(tag));
    const all = kept.map(({ place }) => this.bytes.slice(place, place + 12));
    all.forEach((entry, i) => this.bytes.set(entry, at + 2 + 12 * i));
    this.view.setUint16(at, kept.length, this.little);
    this.view.setUint32(at + 2 + 12 * kept.length, following, this.little);
    this.bytes.fill(0, at + 6 + 12 * kept.length, at + 6 + 12 * entries.length);
  }

  // Gray pixels, which nothing will point to.
  eraseThumbnail(at) {
    try {
      const { entries } = this.directory(at);
      const [start, size] = [513, 514].map((tag) => this.number(entries.find((entry) => entry.tag === tag)));
      if (start > 8 && start + size <= this.bytes.length) this.bytes.fill(0, start, start + size);
    } catch {
      // there is none
    }
  }
}

// How the picture is turned, 1 to 8; 1 where nothing says.
export function orientation(block) {
  try {
    const tags = new Tags(block);
    const entry = tags.directory(tags.first).entries.find(({ tag }) => tag === ORIENTATION);
    const value = entry ? tags.number(entry) : 1;
    return value >= 1 && value <= 8 ? value : 1;
  } catch {
    return 1;
  }
}

// A copy for the colored picture: upright, sRGB, of this size, without thumbnail; throws if damaged.
export function tidied(block, width, height) {
  const tags = new Tags(block.slice());
  const main = tags.directory(tags.first);
  if (main.next) tags.eraseThumbnail(main.next);
  const turned = orientation(block) >= 5;
  for (const entry of main.entries) if (entry.tag === ORIENTATION) tags.set(entry, 1);
  if (turned) tags.exchange(main.entries, ACROSS, DOWN);
  const inner = tags.below(main, EXIF);
  if (inner) {
    for (const entry of inner.entries) {
      if (entry.tag === 0xa001) tags.set(entry, 1);
      if (entry.tag === 0xa002) tags.set(entry, width);
      if (entry.tag === 0xa003) tags.set(entry, height);
    }
    const interop = tags.below(inner, INTEROP);
    for (const entry of interop?.entries || []) if (entry.tag === 1) tags.text(entry, "R98\0");
    tags.keep(inner, (tag) => tag !== 0x9102 && tag !== 0xa500);
  }
  tags.keep(main, (tag) => !CODING.has(tag), 0);
  return tags.bytes;
}

// {across, down} in dots per inch; null where the block does not say.
export function resolution(block) {
  try {
    const tags = new Tags(block);
    const { entries } = tags.directory(tags.first);
    const [across, down, unit] = [ACROSS, DOWN, UNIT].map((wanted) => {
      const entry = entries.find(({ tag }) => tag === wanted);
      return entry ? tags.number(entry) : 0;
    });
    if (!(across > 0) || !(down > 0) || unit === 1) return null;
    const scale = unit === 3 ? 2.54 : 1;
    return { across: across * scale, down: down * scale };
  } catch {
    return null;
  }
}
