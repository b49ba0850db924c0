// A photo's file: what it says, its pixels, and smaller copies of its lightness.
// See colorizer/pictures/picture.py.

import { colorSpace, readProfile, SRGB } from "./icc.js";
import * as jpeg from "./jpeg_file.js";
import { shrunk } from "./jpeg_shrink.js";
import { lightness, spread, tablesOf } from "./lightness.js";
import * as png from "./png_file.js";
import * as pngPixels from "./png_pixels.js";
import { resize, wholeOf } from "./resize.js";

export const MOST_PIXELS = 100_000_000;
const BAND = 64; // rows that are read at a time, about
const COLORED = 0.01; // mean distance of channels above which a picture has colors

const KINDS = [
  ["HEIC", (b) => /^ftyp(heic|heix|hevc|heim|heis|mif1|msf1)/.test(latin(b, 4, 12))],
  ["AVIF", (b) => /^ftypavi[fs]/.test(latin(b, 4, 12))],
  ["JPEG XL", (b) => latin(b, 4, 8) === "JXL " || (b[0] === 0xff && b[1] === 0x0a)],
  ["TIFF", (b) => ["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(latin(b, 0, 4))],
  ["WebP", (b) => latin(b, 0, 4) === "RIFF" && latin(b, 8, 12) === "WEBP"],
  ["GIF", (b) => latin(b, 0, 3) === "GIF"],
  ["BMP", (b) => latin(b, 0, 2) === "BM"],
];
const latin = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

// Reads what a file says of its picture; raises an Error with a sentence.
export async function open(file) {
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} cannot be read any more; was it moved, or changed?`);
  }
  const format = [jpeg, png].find((one) => one.accepts(bytes));
  if (!format) return foreign(file, bytes);
  const told = await format.read(bytes);
  if (!told.width || !told.height) throw new Error(`${file.name} is damaged: it does not say how large it is.`);
  if (!told.isWhole)
    throw new Error(`${file.name} is cut off: the end of its picture is missing; \`colorizer colorize --salvage\` colors what is there.`);
  const sides = told.orientation >= 5 ? [told.height, told.width] : [told.width, told.height];
  checkSize(file.name, ...sides);
  const notes = told.left.map((what) => `${file.name}: ${what} cannot be kept`);
  if (told.bits > 8) notes.push(`${file.name} has ${told.bits} bits per channel, of which a browser reads 8; \`colorizer colorize\` keeps them`);
  const profile = told.isConverted ? SRGB : profileOf(told, file.name, notes);
  return {
    kind: format === jpeg ? "jpeg" : "png",
    width: sides[0],
    height: sides[1],
    orientation: told.orientation,
    hasAlpha: Boolean(told.hasAlpha),
    isConverted: told.isConverted,
    isOurs: !told.isConverted && pngPixels.decodes(told),
    tables: tablesOf(profile, told.channels === 1),
    blob: told.plain,
    meta: told,
    notes,
  };
}

const NOTHING = { exif: null, xmp: null, icc: null, photoshop: [], comments: [], texts: [], density: null, orientation: 1 };

// What the browser alone understands, if it does: its pixels come upright and as sRGB.
async function foreign(file, bytes) {
  const kind = KINDS.find(([, accepts]) => accepts(bytes))?.[0];
  if (!kind) throw new Error(`${file.name} is no picture that this page knows; it takes JPEG, PNG, WebP, AVIF, GIF and BMP.`);
  const source = { kind: "foreign", orientation: 1, hasAlpha: false, isConverted: true, tables: tablesOf(SRGB, false), blob: file, meta: NOTHING };
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(
      ["WebP", "GIF", "BMP"].includes(kind)
        ? `${file.name} cannot be decoded; it is damaged, or too large for this browser.`
        : `${file.name} is a ${kind} file, which this browser does not read; save it as JPEG or PNG, or use \`colorizer serve\`.`,
    );
  }
  const { width, height } = bitmap;
  bitmap.close();
  checkSize(file.name, width, height);
  return { ...source, width, height, notes: [`${file.name}: of a ${kind} file no metadata are kept here; \`colorizer colorize\` keeps them`] };
}

function profileOf({ icc, channels }, name, notes) {
  if (!icc) return SRGB;
  const fitting = channels === 1 ? ["GRAY", "RGB"] : ["RGB"];
  const found = fitting.includes(colorSpace(icc)) ? readProfile(icc) : null;
  if (!found && channels !== 4) notes.push(`${name}: its color profile is of no use here; taken as sRGB`);
  return found || SRGB;
}

function checkSize(name, width, height) {
  if (width * height <= MOST_PIXELS) return;
  const [own, most] = [width * height, MOST_PIXELS].map((count) => Math.round(count / 1e6));
  throw new Error(`${name} has ${own} megapixels, and this page takes ${most} at most; make it smaller, or use \`colorizer serve\`.`);
}

// The decoded pixels, to be closed.
export async function decode(source, name) {
  try {
    if (source.isOurs) return await pngPixels.decode(source.blob);
    return await createImageBitmap(source.blob, {
      premultiplyAlpha: "none",
      colorSpaceConversion: source.isConverted ? "default" : "none",
    });
  } catch {
    throw new Error(`${name} cannot be decoded; it is damaged, or this device has too little memory for it.`);
  }
}

// Pixels of a part of the upright picture, (x, y, w, h) -> RGBA; and `coded`, of the file's own rows.
export function reader(source, bitmap) {
  const { width: W, height: H, orientation } = source;
  let [canvas, pen] = [null, null];
  const drawn = (x, y, w, h) => {
    canvas ||= new OffscreenCanvas(w, h);
    pen ||= canvas.getContext("2d", { willReadFrequently: true });
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    pen.globalCompositeOperation = "copy";
    pen.drawImage(bitmap, x, y, w, h, 0, 0, w, h);
    return pen.getImageData(0, 0, w, h).data;
  };
  const coded = bitmap.data ? (...box) => cut(bitmap, ...box) : drawn;
  const { swaps, fromRight, fromBottom } = turnOf(orientation);
  const upright = (x, y, w, h) => {
    const u = fromRight ? W - x - w : x;
    const v = fromBottom ? H - y - h : y;
    const data = swaps ? coded(v, u, h, w) : coded(u, v, w, h);
    return orientation === 1 ? data : turned(data, w, h, orientation);
  };
  return Object.assign(upright, { coded });
}

// Whether rows become columns, and from which ends of the file's they are counted.
const turnOf = (orientation) => ({
  swaps: orientation >= 5,
  fromRight: [2, 3, 6, 7].includes(orientation),
  fromBottom: [3, 4, 7, 8].includes(orientation),
});

function cut({ data, width }, x, y, w, h) {
  const out = new Uint8ClampedArray(4 * w * h);
  for (let row = 0; row < h; row++) out.set(data.subarray(4 * ((y + row) * width + x), 4 * ((y + row) * width + x + w)), 4 * row * w);
  return out;
}

// Pixels as coded -> (h, w) upright.
function turned(data, w, h, orientation) {
  const { swaps, fromRight, fromBottom } = turnOf(orientation);
  const from = new Uint32Array(data.buffer);
  const to = new Uint32Array(w * h);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const u = fromRight ? w - 1 - x : x;
      const v = fromBottom ? h - 1 - y : y;
      to[y * w + x] = from[swaps ? u * h + v : v * w + u];
    }
  return new Uint8ClampedArray(to.buffer);
}

// How much smaller a JPEG is decoded to still have `times` the width, as in Python.
function shrinkFor(source, width, times) {
  let shrink = 1;
  while (source.kind === "jpeg" && shrink < 8 && source.width >= 2 * times * shrink * width) shrink *= 2;
  return shrink;
}

// The lightness at a small size: {L, hasColor}. It is read in bands, and never held whole.
export function smallLightness(source, pixels, width, height, times = 2) {
  const shrink = shrinkFor(source, width, times);
  const { data, width: W, height: H } = shrink > 1 ? halved(source, pixels, shrink) : source;
  const [across, down] = [wholeOf(W, width), wholeOf(H, height)];
  const [w, h] = [Math.ceil(W / across), Math.ceil(H / down)];
  const out = new Float32Array(w * h);
  const rows = down * Math.max(1, Math.round(BAND / down));
  let apart = 0;
  const L = new Float32Array(W * rows);
  for (let first = 0; first < H; first += rows) {
    const count = Math.min(rows, H - first);
    const band = data ? data.subarray(4 * W * first, 4 * W * (first + count)) : pixels(0, first, W, count);
    apart += spread(band, W * count);
    lightness(band, source.tables, W * count, L);
    averageInto(out, L, W, count, across, down, first / down, w);
  }
  return { L: resize(out, [h, w, 1], height, width, [H, W]), hasColor: apart / (W * H) > COLORED };
}

// A JPEG that many times smaller, upright.
function halved(source, pixels, shrink) {
  const { meta, orientation, isConverted } = source;
  const { data, width, height } = shrunk(pixels.coded, meta.width, meta.height, shrink, isConverted ? null : meta.steps);
  const [w, h] = orientation >= 5 ? [height, width] : [width, height];
  return { data: orientation === 1 ? data : turned(data, w, h, orientation), width: w, height: h };
}

// Means of `across` x `down` values; at the ends the last ones count again.
function averageInto(out, values, width, height, across, down, first, w) {
  const share = 1 / (across * down);
  for (let y = 0; y < Math.ceil(height / down); y++)
    for (let x = 0; x < w; x++) {
      let sum = 0;
      for (let v = 0; v < down; v++)
        for (let u = 0; u < across; u++)
          sum += values[Math.min(height - 1, y * down + v) * width + Math.min(width - 1, x * across + u)];
      out[(first + y) * w + x] = sum * share;
    }
}
