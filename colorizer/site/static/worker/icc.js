// ICC profiles made of curves and a matrix, read exactly: see colorizer/pictures/metadata/icc.py.

import { fToXyz, inverse, product, toCode, toLight } from "./lab.js";

const SRGB_TO_D50 = [
  [0.4360747, 0.3850649, 0.1430804],
  [0.2225045, 0.7168786, 0.0606169],
  [0.0139322, 0.0971045, 0.7141733],
];
const UNIT = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

// A curve for each channel, code value to linear light (both 0..1), and then a matrix.
export const SRGB = { curves: [toLight, toLight, toLight], toSrgb: UNIT };

const text = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

// The pixels that a profile is for: "GRAY", "RGB", "CMYK"...; empty if it is none.
export const colorSpace = (bytes) =>
  bytes && bytes.length > 131 && text(bytes, 36, 40) === "acsp" ? text(bytes, 16, 20).trim() : "";

// {curves, toSrgb}, of gray one curve and no matrix; null if it is of another kind, or damaged.
export function readProfile(bytes) {
  try {
    const tags = tagsOf(bytes);
    const space = colorSpace(bytes);
    const connection = text(bytes, 20, 23);
    if (!space || tags.has("A2B0")) return null;
    if (space === "GRAY") {
      const curve = curveOf(tags.get("kTRC"));
      const isLightness = connection === "Lab";
      return { curves: [isLightness ? (x) => fToXyz((100 * curve(x) + 16) / 116) : curve], toSrgb: null };
    }
    if (space !== "RGB" || connection !== "XYZ") return null;
    const curves = ["r", "g", "b"].map((channel) => curveOf(tags.get(`${channel}TRC`)));
    const columns = ["r", "g", "b"].map((channel) => [8, 12, 16].map((at) => fixed(tags.get(`${channel}XYZ`), at)));
    const colorants = [0, 1, 2].map((row) => columns.map((column) => column[row]));
    return { curves, toSrgb: product(inverse(SRGB_TO_D50), colorants) };
  } catch {
    return null;
  }
}

// Whether pixels are sRGB as they are, to within one of 255 steps.
export function isSrgb({ curves, toSrgb }) {
  if (!toSrgb) return false;
  const isNear = toSrgb.every((row, i) => row.every((value, j) => Math.abs(value - UNIT[i][j]) < 0.01));
  return isNear && curves.every((curve) => {
    for (let i = 0; i < 256; i++) if (Math.abs(toCode(curve(i / 255)) - i / 255) * 255 > 1) return false;
    return true;
  });
}

function tagsOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tags = new Map();
  const count = view.getUint32(128);
  if (count > 1000) throw new Error("no profile has that many tags");
  for (let i = 0; i < count; i++) {
    const at = 132 + 12 * i;
    const start = view.getUint32(at + 4);
    tags.set(text(bytes, at, at + 4), bytes.subarray(start, start + view.getUint32(at + 8)));
  }
  return tags;
}

const viewOf = (tag) => new DataView(tag.buffer, tag.byteOffset, tag.byteLength);
const fixed = (tag, at) => viewOf(tag).getInt32(at) / 65536;
const clamp = (y) => Math.min(1, Math.max(0, y));

function curveOf(tag) {
  const kind = text(tag, 0, 4);
  if (kind === "curv") return tableOf(viewOf(tag));
  if (kind !== "para") throw new Error("no curve");
  const type = viewOf(tag).getUint16(8);
  const count = [1, 3, 4, 5, 7][type];
  const [gamma, a, b, c, d, e, f] = Array.from({ length: count }, (_, i) => fixed(tag, 12 + 4 * i));
  const power = (x) => Math.max(a * x + b, 0) ** gamma;
  if (type === 0) return (x) => x ** gamma;
  if (type === 1) return (x) => clamp(power(x));
  if (type === 2) return (x) => clamp(power(x) + c);
  return (x) => clamp(x >= d ? power(x) + (e || 0) : c * x + (f || 0));
}

function tableOf(view) {
  const count = view.getUint32(8);
  if (count === 1) {
    const gamma = view.getUint16(12) / 256;
    return (x) => x ** gamma;
  }
  const values = count ? Array.from({ length: count }, (_, i) => view.getUint16(12 + 2 * i) / 65535) : [0, 1];
  return (x) => {
    const at = x * (values.length - 1);
    const low = Math.min(Math.floor(at), values.length - 2);
    return values[low] + (at - low) * (values[low + 1] - values[low]);
  };
}
