// The segments of a JPEG: what they say of the picture, and what stands before the colored pixels.
// See colorizer/pictures/formats/jpeg.py.

import { colorSpace, isSrgb, readProfile } from "./icc.js";
import * as exif from "./exif.js";
import { ZIGZAG } from "./jpeg_encoder.js";

const LARGEST = 65533; // bytes that a segment holds
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const FURTHER_XMP = "http://ns.adobe.com/xmp/extension/\0";
const ICC = "ICC_PROFILE\0";
const PHOTOSHOP = "Photoshop 3.0\0";
// Resources of Photoshop that held the old pixels, or what has a place of its own.
const OLD_RESOURCES = new Set([0x0409, 0x040c, 0x040f, 0x0410, 0x0411, 0x0422, 0x0423, 0x0424, 0x03ed, 0x0416, 0x0417]);

export const accepts = (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

const bytesOf = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const begins = (content, text) => content.length >= text.length && bytesOf(text).every((byte, i) => content[i] === byte);
const joined = (parts) => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

// Marker, content and place of each segment, up to the first scan.
function* segments(bytes) {
  let at = 2;
  while (at < bytes.length) {
    const start = at;
    if (bytes[at++] !== 0xff) continue;
    while (bytes[at] === 0xff) at++;
    const marker = bytes[at++];
    if (marker === 0xd9 || marker === undefined) return;
    if (marker < 2 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    const size = (bytes[at] << 8) | bytes[at + 1];
    yield { marker, content: bytes.subarray(at + 2, at + size), start, end: at + size };
    at += size;
    if (marker === 0xda) return;
  }
}

// What a file says: sides as coded, `channels`, `orientation`, `icc`, metadata, and `plain`: bytes
// of the same picture, neither turned nor under a profile, to be decoded.
export function read(bytes) {
  const found = { width: 0, height: 0, channels: 0, bits: 8, exif: null, xmp: null, photoshop: [], comments: [], density: null };
  const [icc, kept, left, tables] = [[], [], new Set(), []];
  let rest = 2;
  for (const { marker, content, start, end } of segments(bytes)) {
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (marker === 0xdb) readSteps(content, tables);
    if (isFrame && !found.width)
      Object.assign(found, { height: (content[1] << 8) | content[2], width: (content[3] << 8) | content[4], channels: content[5], bits: content[0], table: content[8] });
    else if (marker === 0xe1 && begins(content, EXIF)) found.exif ||= content.slice(EXIF.length);
    else if (marker === 0xe1 && begins(content, XMP)) found.xmp ||= new TextDecoder().decode(content.subarray(XMP.length));
    else if (marker === 0xe1 && begins(content, FURTHER_XMP)) left.add("the extended part of its XMP");
    else if (marker === 0xe2 && begins(content, ICC)) icc[content[ICC.length]] = content.slice(ICC.length + 2);
    else if (marker === 0xe2 && begins(content, "MPF\0")) left.add("further pictures behind it");
    else if (marker === 0xed && begins(content, PHOTOSHOP)) found.photoshop.push(content.slice(PHOTOSHOP.length));
    else if (marker === 0xfe) found.comments.push(content.slice());
    else if (marker === 0xe0 && begins(content, "JFIF\0")) found.density = content.slice(7, 12);
    else if (marker > 0xe0 && marker <= 0xef && !["Adobe", "Ducky", "JFXX\0"].some((name) => begins(content, name)))
      left.add(begins(content, "JP") ? "content credentials (C2PA)" : `application data APP${marker - 0xe0}`);
    const isMeta = (marker === 0xe1 && begins(content, EXIF)) || (marker === 0xe2 && begins(content, ICC));
    if (!isMeta) kept.push(bytes.subarray(start, end));
    rest = end;
  }
  const profile = icc.length ? joined(icc.filter(Boolean)) : null;
  const isKnown = !profile || readProfile(profile) || colorSpace(profile) !== "RGB";
  // what only the browser understands it shall convert
  const own = isKnown ? [] : profileSegments(profile);
  return {
    ...found,
    steps: tables[found.table],
    icc: profile,
    isConverted: !isKnown,
    orientation: found.exif ? exif.orientation(found.exif) : 1,
    isWhole: endsWhole(bytes, rest),
    left: [...left],
    plain: new Blob([bytes.subarray(0, 2), ...own, ...kept, bytes.subarray(rest)], { type: "image/jpeg" }),
  };
}

// Quantization tables: their steps in rows, not in the order of the file.
function readSteps(content, tables) {
  for (let at = 0; at < content.length; ) {
    const [isLong, number] = [content[at] >> 4, content[at] & 15];
    tables[number] = new Uint16Array(64);
    for (let i = 0; i < 64; i++) {
      const from = at + 1 + (isLong ? 2 * i : i);
      tables[number][ZIGZAG[i]] = isLong ? (content[from] << 8) | content[from + 1] : content[from];
    }
    at += isLong ? 129 : 65;
  }
}

// Whether there is an end marker behind the begin of the first scan; whatever else may follow.
function endsWhole(bytes, begin) {
  for (let at = bytes.length - 2; at >= begin; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}

const segment = (marker, ...parts) => {
  const content = joined(parts.map((part) => (typeof part === "string" ? bytesOf(part) : part)));
  return joined([Uint8Array.from([0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255]), content]);
};

function profileSegments(profile) {
  const room = LARGEST - ICC.length - 2;
  const count = Math.ceil(profile.length / room);
  return Array.from({ length: count }, (_, i) =>
    segment(0xe2, ICC, Uint8Array.from([i + 1, count]), profile.subarray(i * room, (i + 1) * room)),
  );
}

// What stands before the pixels of the colored picture: {segments, lost}, of sentences `lost`.
export function head({ exif: block, photoshop, comments, density, icc }, { width, height, xmp, srgb }) {
  const lost = [];
  const out = [];
  const resolution = (block && exif.resolution(block)) || null;
  const dots = resolution && [resolution.across, resolution.down].map(Math.round);
  let jfif = density && density[0] ? [...density] : [0, 0, 1, 0, 1];
  if (dots?.every((value) => value > 0 && value < 65536)) jfif = [1, dots[0] >> 8, dots[0] & 255, dots[1] >> 8, dots[1] & 255];
  if (block && exif.orientation(block) >= 5) jfif = [jfif[0], ...jfif.slice(3), ...jfif.slice(1, 3)];
  out.push(segment(0xe0, "JFIF\0", Uint8Array.from([1, 2, ...jfif, 0, 0])));
  const add = (part) => out.push(part);
  if (block)
    try {
      const told = exif.tidied(block, width, height);
      if (told.length <= LARGEST - EXIF.length) add(segment(0xe1, EXIF, told));
      else lost.push("EXIF data of more than 64 kB");
    } catch {
      lost.push("damaged EXIF data");
    }
  if (xmp) {
    const packet = new TextEncoder().encode(xmp);
    if (packet.length <= LARGEST - XMP.length) add(segment(0xe1, XMP, packet));
    else throw new Error("the XMP of this photo has more than 64 kB; `colorizer colorize` keeps it whole.");
  }
  const resources = joined(photoshop.flatMap((part) => [...stillTrue(part)]));
  if (resources.length) {
    if (resources.length <= LARGEST - PHOTOSHOP.length) add(segment(0xed, PHOTOSHOP, resources));
    else lost.push("IPTC data of more than 64 kB");
  }
  for (const comment of comments) add(segment(0xfe, comment));
  const own = icc && colorSpace(icc) === "RGB" && readProfile(icc);
  for (const part of profileSegments(own && isSrgb(own) ? icc : srgb)) add(part);
  return { segments: out, lost };
}

// The resources of Photoshop that still hold, IPTC among them.
function* stillTrue(block) {
  let at = 0;
  while (begins(block.subarray(at), "8BIM") && at + 6 < block.length) {
    const number = (block[at + 4] << 8) | block[at + 5];
    const start = at + 6 + (Math.floor(block[at + 6] / 2) + 1) * 2;
    const size = new DataView(block.buffer, block.byteOffset).getUint32(start);
    const end = start + 4 + size + (size % 2);
    if (start + 4 + size > block.length) return;
    if (!OLD_RESOURCES.has(number)) yield joined([block.subarray(at, Math.min(end, block.length)), new Uint8Array(Math.max(0, end - block.length))]);
    at = end;
  }
}
