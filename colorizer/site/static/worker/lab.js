// CIE Lab under D65 and the sRGB curve: the constants of colorizer/color/lab.py, of scikit-image.

export const RGB_TO_XYZ = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
export const RGB_WHITE = RGB_TO_XYZ.map((row) => row[0] + row[1] + row[2]);

export function inverse(m) {
  const [[a, b, c], [d, e, f], [g, h, i]] = m;
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / det));
}

export const product = (m, n) =>
  m.map((row) => n[0].map((_, j) => row.reduce((sum, value, k) => sum + value * n[k][j], 0)));

// X/Xn, Y, Z/Zn -> linear RGB, where white is that of RGB.
const FROM_WHITE = inverse(RGB_TO_XYZ).map((row) => row.map((value, i) => value * RGB_WHITE[i]));

// (X/Xn - Y, Z/Zn - Y) -> how far linear RGB lies from the gray of luminance Y.
export const FROM_GRAY = FROM_WHITE.map((row) => [row[0], row[2]]);

const CORNER = 0.2068966;
const EPSILON = 0.008856;
const SLOPE = 7.787;
const START = 16 / 116;

export const toLight = (c) => (c > 0.04045 ? ((c + 0.055) / 1.055) ** 2.4 : c / 12.92);
export const toCode = (c) => (c > 0.0031308 ? 1.055 * c ** (1 / 2.4) - 0.055 : 12.92 * c);
export const xyzToF = (t) => (t > EPSILON ? Math.cbrt(t) : SLOPE * t + START);
export const fToXyz = (f) => (f > CORNER ? f * f * f : (f - START) / SLOPE);
export const lightnessOf = (Y) => (Y > EPSILON ? 116 * Math.cbrt(Y) - 16 : 116 * SLOPE * Y);

// [L, a, b] of linear RGB, under RGB's own white.
export function lightToLab(r, g, b) {
  const [x, y, z] = RGB_TO_XYZ.map((row, i) => xyzToF((row[0] * r + row[1] * g + row[2] * b) / RGB_WHITE[i]));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
