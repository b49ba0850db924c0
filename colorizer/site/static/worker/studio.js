// The photos that were dropped, and what is made of them: previews, parts, files.
// See colorizer/inference/preview.py and colorizer/page/studio.py.

import { balanced } from "./balance.js";
import { LARGEST, overPicture, pad, predictChroma, predictSteadily, round, workingSize } from "./chroma.js";
import { painter } from "./compose.js";
import { readHints } from "./hints.js";
import { JpegEncoder } from "./jpeg_encoder.js";
import * as jpeg from "./jpeg_file.js";
import { lightness } from "./lightness.js";
import { colorsOf, palettePrior } from "./palette.js";
import * as png from "./png_file.js";
import { follow, followers, grid } from "./propagate.js";
import { resize } from "./resize.js";
import { decode, open, reader, smallLightness } from "./source.js";
import { likeliest, sharesAt } from "./suggest.js";

const SIDE = 1600; // pixels, of previews
const OPEN = 6; // photos whose small copies are held
const KEPT = 3; // ways of looking at a photo, whose results are kept
const SHRINKS = { thumbnail: 4, small: 2 };
const BAND = 2 ** 19; // pixels that are colored at a time
const PLAIN = new Float32Array(4); // no chroma

export class Studio {
  // `about`: of the model; `network`: a promise of what `load` of model.js gives.
  constructor(about, network) {
    this.about = about;
    this.network = network;
    this.photos = new Map(); // id -> photo; the last used at the end
    this.palettes = new Map(); // id -> prior
    this.held = null; // the photo whose pixels are decoded
    this.stopped = new Set();
  }

  async add(id, file, isPalette) {
    const source = await open(file);
    const photo = { id, name: file.name, source, smalls: new Map(), seen: new Map(), inner: new Map(), users: 0, bitmap: null, shown: null };
    if (isPalette) {
      const { bins, typical } = this.about;
      this.palettes.set(id, palettePrior(bins, await this.#pixels(photo, (pixels) => colorsOf(source, pixels, file.name)), typical));
      this.#release(photo);
      return { name: file.name };
    }
    this.photos.set(id, photo);
    try {
      await this.#small(photo, workingSize(source.width, source.height, this.about.size)); // decodes it: damage shows here
    } catch (error) {
      this.remove(id);
      throw error;
    }
    return { name: file.name, width: source.width, height: source.height, bits: 8, shown: shownSize(source), notes: source.notes, xmp: source.meta.xmp };
  }

  remove(id) {
    const photo = this.photos.get(id);
    this.photos.delete(id);
    if (photo) this.#release(photo);
  }

  stop(id) {
    this.stopped.add(id);
  }

  async gray(id) {
    const photo = this.#photo(id);
    const L = await this.#shown(photo);
    return toJpeg(painter(PLAIN, 1, 1, ...shownSize(photo.source)), L, shownSize(photo.source));
  }

  async preview(id, { settings, hints, size }) {
    const photo = this.#photo(id);
    const { coloring, h, w, vividness } = await this.#colored(photo, settings, hints);
    let L = await this.#shown(photo);
    let sides = shownSize(photo.source);
    const shrink = SHRINKS[size] || 1;
    if (shrink > 1) {
      const less = sides.map((side) => Math.max(1, Math.floor(side / shrink)));
      L = resize(L, [sides[1], sides[0], 1], less[1], less[0]);
      sides = less;
    }
    return toJpeg(painter(coloring, h, w, ...sides, vividness), L, sides);
  }

  // A part with the file's own pixels, or of them `shrink` times smaller.
  async region(id, { settings, hints, box, shrink, gray }) {
    const photo = this.#photo(id);
    const { width: W, height: H, tables } = photo.source;
    const seen = gray ? { coloring: PLAIN, h: 1, w: 1, vividness: 1 } : await this.#colored(photo, settings, hints);
    const [left, top] = [box[0], box[1]].map((side) => Math.floor(side / shrink));
    const [width, height] = [Math.floor(W / shrink), Math.floor(H / shrink)].map((side) => Math.max(1, side));
    const w = Math.min(Math.ceil((box[0] + box[2]) / shrink), width) - left;
    const h = Math.min(Math.ceil((box[1] + box[3]) / shrink), height) - top;
    const L = await this.#pixels(photo, (pixels) => {
      const [across, down] = [Math.min(w * shrink, W - left * shrink), Math.min(h * shrink, H - top * shrink)];
      const found = lightness(pixels(left * shrink, top * shrink, across, down), tables, across * down, new Float32Array(across * down));
      return shrink === 1 ? found : boxed(found, across, w, h, shrink);
    });
    const paint = painter(seen.coloring, seen.h, seen.w, width, height, seen.vividness);
    const canvas = new OffscreenCanvas(w, h);
    const out = new ImageData(w, h);
    for (let y = 0; y < h; y++) paint.part(L.subarray(y * w, (y + 1) * w), top + y, left, out.data.subarray(4 * y * w, 4 * (y + 1) * w));
    canvas.getContext("2d").putImageData(out, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }

  // The lightness of a place, 0..1, the likeliest colors there, and what share of the picture would
  // follow each.
  async suggest(id, { settings, x, y }) {
    const photo = this.#photo(id);
    const { bins, lean } = this.about;
    const { L, h, w, logits } = await this.#inner(photo, "fast");
    const at = (values, [across, down]) => values[Math.min(Math.floor(y * down), down - 1) * across + Math.min(Math.floor(x * across), across - 1)];
    const shares = sharesAt(logits, h, w, x, y, lean, this.#prior(settings.variant, settings.palette));
    const colors = likeliest(bins, shares, at(L, [w, h]));
    const follows = await this.#follows(photo, settings, colors.map((color) => ({ at: [x, y], color })));
    return { L: at(await this.#shown(photo), shownSize(photo.source)), colors, follows };
  }

  // What share of a photo would follow each of some hints, were it alone.
  async #follows(photo, settings, hints) {
    const { coloring, vividness } = await this.#colored(photo, settings);
    const { L, h, w, alike } = await this.#inner(photo, settings.quality);
    const { likeness } = await this.network;
    const vivid = coloring.map((value) => vividness * value);
    const spread = (...about) => likeness.carry(alike, ...about);
    return readHints({ version: 1, hints }).points.map((one) => followers(L, h, w, vivid, [alike.h, alike.w], one, spread));
  }

  // The colored file: {blob, notes}. `tell(share)` says how far it is.
  async render(id, { settings, hints, format, xmp, job }, tell) {
    const photo = this.#photo(id);
    const { source, name } = photo;
    const { width, height, hasAlpha, tables } = source;
    const seen = await this.#colored(photo, settings, hints);
    const notes = [...source.notes];
    if (seen.hasColor) notes.unshift(`${name} has colors of its own; they are replaced`);
    if (hasAlpha && format === ".jpg") notes.push(`${name}: JPEG holds no transparency; it lies on white now`);
    const told = { width, height, xmp, srgb: this.about.srgb };
    const encoder = format === ".png" ? await pngEncoder(source, told, notes, name) : jpegEncoder(source, told, notes, name);
    const paint = painter(seen.coloring, seen.h, seen.w, width, height, seen.vividness);
    const rows = Math.max(8, Math.floor(BAND / width / 8) * 8);
    const L = new Float32Array(width * rows);
    const out = new Uint8ClampedArray(4 * width * rows);
    await this.#pixels(photo, async (pixels) => {
      for (let y = 0; y < height; y += rows) {
        const count = Math.min(rows, height - y);
        const data = pixels(0, y, width, count);
        lightness(data, tables, width * count, L);
        paint.rows(L, y, count, out);
        if (hasAlpha) withAlpha(out, data, width * count, format === ".png");
        await encoder.write(out, count);
        tell((y + count) / height);
        await breath();
        if (this.stopped.delete(job)) throw new Error("the download was canceled");
      }
    });
    const blob = new Blob(await encoder.end(), { type: format === ".png" ? "image/png" : "image/jpeg" });
    return { blob, notes };
  }

  #photo(id) {
    const photo = this.photos.get(id);
    if (!photo) throw Object.assign(new Error("this photo is no longer here; add it again"), { gone: id });
    this.photos.delete(id);
    this.photos.set(id, photo);
    const others = [...this.photos.values()].filter((one) => one.shown || one.smalls.size || one.seen.size || one.inner.size);
    for (const other of others.slice(0, -OPEN)) if (other !== photo) Object.assign(other, { shown: null, smalls: new Map(), seen: new Map(), inner: new Map() });
    return photo;
  }

  // Works on the pixels of a photo; those of the last one stay decoded.
  async #pixels(photo, task) {
    photo.users += 1;
    try {
      photo.bitmap ||= decode(photo.source, photo.name);
      const bitmap = await photo.bitmap;
      if (this.held && this.held !== photo) this.#release(this.held);
      this.held = photo;
      return await task(reader(photo.source, bitmap));
    } catch (error) {
      photo.bitmap = null;
      throw error;
    } finally {
      photo.users -= 1;
      if (this.held !== photo) this.#release(photo);
    }
  }

  #release(photo) {
    if (photo.users || !photo.bitmap) return;
    photo.bitmap.then((bitmap) => bitmap.close(), () => {});
    photo.bitmap = null;
    if (this.held === photo) this.held = null;
  }

  async #small(photo, [width, height]) {
    const key = `${width} ${height}`;
    if (!photo.smalls.has(key)) photo.smalls.set(key, await this.#pixels(photo, (pixels) => smallLightness(photo.source, pixels, width, height)));
    return photo.smalls.get(key);
  }

  async #shown(photo) {
    photo.shown ||= (await this.#pixels(photo, (pixels) => smallLightness(photo.source, pixels, ...shownSize(photo.source), 1))).L;
    return photo.shown;
  }

  // As it is asked for: {coloring, h, w, vividness, hasColor}, `vividness` being a factor that is left.
  async #colored(photo, settings, told) {
    const looked = await this.#look(photo, settings);
    const { vividness = 1, warmth, tint, shadows, highlights, natural } = settings;
    const wanted = { warmth, tint, shadows, highlights, natural };
    const seen = looked.balanced?.of === JSON.stringify(wanted) ? looked.balanced : balance(looked, wanted);
    const hints = readHints(told);
    if (!hints) return { ...seen, vividness };
    const key = JSON.stringify([vividness, told]);
    if (seen.steered?.key !== key) {
      const { L, h, w, alike } = await this.#inner(photo, settings.quality);
      const { likeness } = await this.network;
      const spread = (...about) => likeness.carry(alike, ...about);
      const vivid = seen.coloring.map((value) => vividness * value);
      seen.steered = { key, coloring: follow(L, h, w, vivid, [alike.h, alike.w], hints, spread) };
    }
    return { ...seen, coloring: seen.steered.coloring, vividness: 1 };
  }

  // What hints and suggestions need: {L, h, w, logits, alike}.
  #inner(photo, quality) {
    if (!photo.inner.has(quality)) {
      const found = this.#lookInside(photo, quality);
      found.catch(() => photo.inner.delete(quality));
      photo.inner.set(quality, found);
    }
    return photo.inner.get(quality);
  }

  async #lookInside(photo, quality) {
    const { width, height } = photo.source;
    const { inner, likeness } = await this.network;
    const [w, h] = workingSize(width, height, this.about.size);
    const [seenW, seenH] = this.#lookSize(photo, quality);
    const { L: seen } = await this.#small(photo, [seenW, seenH]);
    const L = resize(seen, [seenH, seenW, 1], h, w);
    const [features, logits] = await inner(pad(L, h, w));
    const over = overPicture(features, h, w);
    const cells = grid(over.h, over.w);
    const alike = likeness.look(resize(L, [h, w, 1], ...cells), resize(over.values, [over.h, over.w, features.count], ...cells), ...cells);
    return { L, h, w, logits, alike };
  }

  #lookSize({ source: { width, height } }, quality) {
    const size = workingSize(width, height, this.about.size);
    return quality === "best" ? size.map((side) => Math.max(1, round(side * LARGEST))) : size;
  }

  // What coloring it takes: {coloring, L, h, w, hasColor}, kept for the settings that count.
  async #look(photo, { temperature, variant, quality, palette }) {
    const key = JSON.stringify([temperature, variant, quality, palette]);
    if (!photo.seen.has(key)) photo.seen.set(key, await this.#see(photo, temperature, this.#prior(variant, palette), quality));
    while (photo.seen.size > KEPT) photo.seen.delete(photo.seen.keys().next().value);
    return photo.seen.get(key);
  }

  async #see(photo, temperature, prior, quality) {
    const { width, height } = photo.source;
    const size = workingSize(width, height, this.about.size);
    const [w, h] = size;
    const { look } = await this.network;
    const predict = (padded) => look(padded, temperature, prior);
    const large = this.#lookSize(photo, quality);
    const { L, hasColor } = await this.#small(photo, large);
    if (quality !== "best") return { coloring: await predictChroma(L, h, w, predict), L, h, w, hasColor };
    const coloring = await predictSteadily(L, large[1], large[0], size, predict);
    return { coloring, L: resize(L, [large[1], large[0], 1], h, w), h, w, hasColor };
  }

  #prior(variant, palette) {
    const own = variant > 1 ? Float32Array.from(this.about.variants[variant - 1]) : null;
    if (!palette) return own;
    const prior = this.palettes.get(palette);
    if (!prior) throw Object.assign(new Error("the photo whose colors are used is no longer here; choose it again"), { gone: palette });
    return own ? prior.map((value, i) => value * own[i]) : prior;
  }
}

// What was seen, in the balance that is wanted; kept with it, and all that hints make of it.
function balance(looked, wanted) {
  const coloring = balanced(looked.L, looked.coloring, wanted);
  const { L, h, w, hasColor } = looked;
  return (looked.balanced = { of: JSON.stringify(wanted), coloring, L, h, w, hasColor });
}

function shownSize({ width, height }) {
  const scale = Math.min(1, SIDE / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, round(scale * side)));
}

function toJpeg(paint, L, [width, height]) {
  const canvas = new OffscreenCanvas(width, height);
  const out = new ImageData(width, height);
  paint.rows(L, 0, height, out.data);
  canvas.getContext("2d").putImageData(out, 0, 0);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

// Means of squares of lightness; what sticks out at the end does not count.
function boxed(values, across, w, h, shrink) {
  const out = new Float32Array(w * h);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      let sum = 0;
      for (let v = 0; v < shrink; v++) for (let u = 0; u < shrink; u++) sum += values[(y * shrink + v) * across + x * shrink + u];
      out[y * w + x] = sum / shrink ** 2;
    }
  return out;
}

function jpegEncoder({ meta, width, height }, told, notes, name) {
  const { segments, lost } = jpeg.head(meta, told);
  if (meta.texts?.length) lost.push("the texts of a PNG");
  notes.push(...lost.map((what) => `${name}: ${what} cannot be kept`));
  return new JpegEncoder(width, height, segments);
}

async function pngEncoder({ meta, width, height, hasAlpha }, told, notes, name) {
  const { chunks, lost } = await png.head(meta, told);
  notes.push(...lost.map((what) => `${name}: ${what} cannot be kept`));
  return new png.PngEncoder(width, height, hasAlpha, chunks);
}

// The transparency of `data`, kept, or over white.
function withAlpha(out, data, count, isKept) {
  for (let at = 3; at < 4 * count; at += 4) {
    const alpha = data[at];
    if (isKept) out[at] = alpha;
    else if (alpha < 255) for (let c = at - 3; c < at; c++) out[c] = 255 + ((out[c] - 255) * alpha) / 255;
  }
}

// Lets other messages in.
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()();
const breath = () =>
  new Promise((done) => {
    waiting.push(done);
    channel.port2.postMessage(0);
  });
