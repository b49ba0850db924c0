// The chunks of a PNG: what they say of the picture, and writing one row by row.
// See colorizer/pictures/formats/png.py.

import { colorSpace, isSrgb, readProfile } from "./icc.js";
import * as exif from "./exif.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
const SPACE = ["iCCP", "cICP", "gAMA", "cHRM"];
const TEXTS = ["tEXt", "zTXt", "iTXt"];
const XMP = "XML:com.adobe.xmp";
const CODING = ["IHDR", "PLTE", "tRNS", "sBIT", "sRGB", "bKGD", "hIST", "pHYs", "sPLT", "IDAT", "IEND", "tIME", "mDCV", "cLLI", "acTL", "fcTL", "fdAT"];

export const accepts = (bytes) => SIGNATURE.every((byte, i) => bytes[i] === byte);

const latin = (bytes) => String.fromCharCode(...bytes);
const bytesOf = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function packed(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// As `read` of jpeg_file.js.
export async function read(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = { exif: null, xmp: null, icc: null, texts: [], density: null, photoshop: [], comments: [] };
  const [kept, left, space] = [[], new Set(), new Map()];
  let [isWhole, isSrgbTold] = [false, false];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const size = view.getUint32(at);
    const kind = latin(bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + size);
    const end = at + 12 + size;
    if (end > bytes.length) break;
    if (kind === "IHDR") {
      const [bits, color] = content.subarray(8);
      Object.assign(found, { width: view.getUint32(at + 8), height: view.getUint32(at + 12), channels: color & 2 ? 3 : 1, bits: Math.max(8, bits), hasAlpha: (color & 4) > 0, isInterlaced: content[12] > 0 });
    } else if (kind === "tRNS") found.hasAlpha = true;
    else if (kind === "eXIf") found.exif = content.slice();
    else if (kind === "pHYs" && content[8] === 1) found.density = content.slice(0, 8);
    else if (kind === "sRGB") isSrgbTold = true;
    else if (SPACE.includes(kind)) space.set(kind, content);
    else if (TEXTS.includes(kind)) {
      const keyword = latin(content.subarray(0, content.indexOf(0)));
      if (keyword === XMP && kind === "iTXt") found.xmp = textOf(content);
      else if (/^Raw profile type/.test(keyword)) left.add(`a text "${keyword}"`);
      else found.texts.push({ kind, content: content.slice() });
    } else if (!CODING.includes(kind)) left.add(kind === "caBX" ? "content credentials (C2PA)" : `a chunk ${kind}`);
    if (kind !== "eXIf") kept.push({ kind, bytes: bytes.subarray(at, end) });
    at = end;
    if (kind === "IEND") {
      isWhole = true;
      break;
    }
  }
  if (space.has("iCCP")) {
    const content = space.get("iCCP");
    try {
      found.icc = await unpacked(content.subarray(content.indexOf(0) + 2));
    } catch {
      left.add("a damaged color profile");
    }
  }
  const gamma = space.get("gAMA");
  const isUsual = gamma && space.size === 1 && Math.abs(new DataView(gamma.buffer, gamma.byteOffset).getUint32(0) / 1e5 - 1 / 2.2) < 0.02;
  if (!found.icc && !space.has("cICP") && (isSrgbTold || isUsual)) space.clear(); // files of sRGB say so beside
  // what is said of colors without a profile, or by one of another kind, the browser shall convert
  const isKnown = found.icc ? readProfile(found.icc) || colorSpace(found.icc) !== "RGB" : !space.size;
  const chunks = kept.filter(({ kind }) => !isKnown || !SPACE.includes(kind));
  return {
    ...found,
    isConverted: !isKnown,
    orientation: found.exif ? exif.orientation(found.exif) : 1,
    isWhole,
    left: [...left],
    plain: new Blob([bytes.subarray(0, 8), ...chunks.map((one) => one.bytes)], { type: "image/png" }),
  };
}

function textOf(content) {
  let at = content.indexOf(0) + 1;
  const isPacked = content[at];
  if (isPacked) return null;
  at = content.indexOf(0, at + 2) + 1;
  at = content.indexOf(0, at) + 1;
  return new TextDecoder().decode(content.subarray(at));
}

// Writing ------------------------------------------------------------------------------------

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

export function crc32(bytes, crc = 0) {
  crc = ~crc;
  for (let i = 0; i < bytes.length; i++) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

function chunk(kind, content) {
  const out = new Uint8Array(12 + content.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, content.length);
  out.set(bytesOf(kind), 4);
  out.set(content, 8);
  view.setUint32(8 + content.length, crc32(out.subarray(4, 8 + content.length)));
  return out;
}

// The chunks of metadata of the colored picture: {chunks, lost}.
export async function head({ exif: block, density, texts, comments, photoshop, icc, orientation }, { width, height, xmp, srgb }) {
  const [chunks, lost] = [[], []];
  const own = icc && colorSpace(icc) === "RGB" && readProfile(icc);
  const profile = await packed(own && isSrgb(own) ? icc : srgb);
  chunks.push(chunk("iCCP", Uint8Array.from([...bytesOf("icc"), 0, 0, ...profile])));
  const dots = perMeter(block, density);
  if (dots) chunks.push(chunk("pHYs", Uint8Array.from([...(orientation >= 5 ? [...dots.slice(4), ...dots.slice(0, 4)] : dots), 1])));
  if (block)
    try {
      chunks.push(chunk("eXIf", exif.tidied(block, width, height)));
    } catch {
      lost.push("damaged EXIF data");
    }
  if (xmp) chunks.push(chunk("iTXt", Uint8Array.from([...bytesOf(`${XMP}\0\0\0\0\0`), ...new TextEncoder().encode(xmp)])));
  for (const text of texts || []) chunks.push(chunk(text.kind, text.content));
  for (const comment of comments) chunks.push(chunk("tEXt", Uint8Array.from([...bytesOf("Comment\0"), ...comment.filter(Boolean)])));
  if (photoshop.length) lost.push("IPTC data and those of Photoshop, which JPEG keeps,");
  return { chunks, lost };
}

function perMeter(block, density) {
  const told = block && exif.resolution(block);
  const out = new DataView(new ArrayBuffer(8));
  if (told) [told.across, told.down].forEach((value, i) => out.setUint32(4 * i, Math.round(value / 0.0254)));
  else if (density?.length === 8) return [...density];
  else if (density?.[0]) [1, 3].forEach((at, i) => out.setUint32(4 * i, Math.round(((density[at] << 8) | density[at + 1]) * (density[0] === 1 ? 1 / 0.0254 : 100))));
  else return null;
  return [...new Uint8Array(out.buffer)];
}

export class PngEncoder {
  constructor(width, height, hasAlpha, chunks) {
    this.width = width;
    this.channels = hasAlpha ? 4 : 3;
    const frame = new DataView(new ArrayBuffer(13));
    frame.setUint32(0, width);
    frame.setUint32(4, height);
    frame.setUint8(8, 8);
    frame.setUint8(9, hasAlpha ? 6 : 2);
    this.parts = [Uint8Array.from(SIGNATURE), chunk("IHDR", new Uint8Array(frame.buffer)), ...chunks];
    this.before = new Uint8Array(this.channels * width);
    this.stream = new CompressionStream("deflate");
    this.writer = this.stream.writable.getWriter();
    this.reading = this.#read();
    this.reading.catch(() => {}); // it is told by `end`
  }

  async #read() {
    for (const reader = this.stream.readable.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      this.parts.push(chunk("IDAT", value));
    }
  }

  // Takes `count` rows of RGBA.
  async write(pixels, count) {
    const { width, channels } = this;
    const line = channels * width;
    const out = new Uint8Array(count * (line + 1));
    for (let row = 0, from = 0, to = 0; row < count; row++) {
      const own = new Uint8Array(line);
      for (let x = 0, at = 0; x < width; x++, from += 4) for (let c = 0; c < channels; c++) own[at++] = pixels[from + c];
      const filter = this.#filter(own);
      out[to++] = filter;
      if (filter === 1) for (let i = 0; i < line; i++) out[to++] = own[i] - (i < channels ? 0 : own[i - channels]);
      else for (let i = 0; i < line; i++) out[to++] = own[i] - this.before[i];
      this.before = own;
    }
    await this.writer.write(out);
  }

  // Differences from the left (1) or from above (2), whichever are less.
  #filter(own) {
    const { before, channels } = this;
    let [left, above] = [0, 0];
    for (let i = channels; i < own.length; i += 7) {
      left += Math.abs(((own[i] - own[i - channels]) << 24) >> 24);
      above += Math.abs(((own[i] - before[i]) << 24) >> 24);
    }
    return left < above ? 1 : 2;
  }

  async end() {
    await this.writer.close();
    await this.reading;
    this.parts.push(chunk("IEND", new Uint8Array(0)));
    return this.parts;
  }
}
