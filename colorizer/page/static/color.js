// CIE Lab under D65 and sRGB, with the constants of the engine (colorizer/color/lab.py).

const TO_XYZ = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
const WHITE = TO_XYZ.map((row) => row[0] + row[1] + row[2]);
const TO_RGB = [
  [3.240481, -1.537152, -0.498536],
  [-0.969255, 1.87599, 0.041556],
  [0.055647, -0.204041, 1.057311],
];

const encode = (c) => (c > 0.0031308 ? 1.055 * c ** (1 / 2.4) - 0.055 : 12.92 * c);
const decode = (c) => (c > 0.04045 ? ((c + 0.055) / 1.055) ** 2.4 : c / 12.92);
const f = (t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
const inverse = (t) => (t > 0.2068966 ? t ** 3 : (t - 16 / 116) / 7.787);

// Linear sRGB of a color; its channels leave 0..1 where sRGB cannot show it.
export function linear(L, a, b) {
  const y = (L + 16) / 116;
  const xyz = [y + a / 500, y, y - b / 200].map((t, i) => inverse(t) * WHITE[i]);
  return TO_RGB.map((row) => row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2]);
}

export const fits = (rgb) => rgb.every((c) => c > -0.0005 && c < 1.0005);

export const bytes = (rgb) =>
  rgb.map((c) => Math.round(255 * encode(Math.min(1, Math.max(0, c)))));

export const hex = (rgb) => `#${bytes(rgb).map((c) => c.toString(16).padStart(2, "0")).join("")}`;

// [L, a, b] of "#rrggbb".
export function lab(color) {
  const rgb = [1, 3, 5].map((i) => decode(parseInt(color.slice(i, i + 2), 16) / 255));
  const [x, y, z] = TO_XYZ.map((row, i) => f((row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]) / WHITE[i]));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

// A color's chroma as it looks at another lightness, taken towards gray until it fits.
export function at(L, color) {
  const [, a, b] = lab(color);
  let low = 0;
  let high = 1;
  if (fits(linear(L, a, b))) low = 1;
  else
    for (let i = 0; i < 12; i++) {
      const middle = (low + high) / 2;
      if (fits(linear(L, a * middle, b * middle))) low = middle;
      else high = middle;
    }
  return hex(linear(L, a * low, b * low));
}
