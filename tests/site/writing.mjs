// Whole files by way of what takes rows.
import { JpegEncoder } from "../../colorizer/site/static/worker/jpeg_encoder.js";
import { shrunk } from "../../colorizer/site/static/worker/jpeg_shrink.js";
import * as jpegFile from "../../colorizer/site/static/worker/jpeg_file.js";
import { colorsOf, palettePrior } from "../../colorizer/site/static/worker/palette.js";
import { PngEncoder, read } from "../../colorizer/site/static/worker/png_file.js";
import { decode, decodes } from "../../colorizer/site/static/worker/png_pixels.js";
import { SRGB } from "../../colorizer/site/static/worker/icc.js";
import { tablesOf } from "../../colorizer/site/static/worker/lightness.js";
import { reader } from "../../colorizer/site/static/worker/source.js";
import { zip } from "../../colorizer/site/static/worker/zip.js";

const whole = async (parts) => new Uint8Array(await new Blob(parts).arrayBuffer());

// in bands, as the worker does it
async function written(encoder, pixels, width, height) {
  for (let y = 0; y < height; y += 7) {
    const count = Math.min(7, height - y);
    await encoder.write(pixels.subarray(4 * y * width, 4 * (y + count) * width), count);
  }
  return whole(await encoder.end());
}

export const jpeg = (pixels, width, height) => written(new JpegEncoder(width, height, []), pixels, width, height);
export const png = (pixels, width, height, hasAlpha) => written(new PngEncoder(width, height, hasAlpha, []), pixels, width, height);

export const archive = async (files) => whole([await zip(files.map(([name, bytes]) => ({ name, blob: new Blob([bytes]) })))]);

export function palette(data, width, height, bins, typical) {
  const pixels = (x, y, w, h) => data.subarray(4 * y * width, 4 * (y + h) * width);
  const ab = colorsOf({ width, height, tables: tablesOf(SRGB, false) }, pixels, "chelsea.jpg");
  return palettePrior(bins, ab, typical);
}

export async function pngPixels(bytes) {
  const told = await read(bytes);
  const { data } = await decode(told.plain);
  return { data, isOurs: decodes(told), width: told.width };
}

export function jpegTold(bytes) {
  const { isWhole, orientation, width, height } = jpegFile.read(bytes);
  return { isWhole, orientation, width, height };
}

export function smallJpeg(bytes, data, width, height, shrink) {
  const { steps } = jpegFile.read(bytes);
  return shrunk((x, y, w, h) => data.subarray(4 * y * width, 4 * (y + h) * width), width, height, shrink, steps).data;
}

export async function part(bytes, data, width, height, box) {
  const { orientation } = await read(bytes);
  const sides = orientation >= 5 ? { width: height, height: width } : { width, height };
  return reader({ ...sides, orientation }, { data, width })(...box);
}
