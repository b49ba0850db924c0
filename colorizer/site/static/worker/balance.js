// The balance of a whole picture: see colorizer/inference/balance.py.

const WARM = [2.4, 17.6]; // ab of a white under D50, seen as under D65
const MAGENTA = [17.6, -2.4];
const NEARLY_GRAY = 8; // chroma of a white
const DOUBT = 0.1; // share of places beside, of no cast
const ROUNDS = 3;
const [DARK, BRIGHT] = [[0, 55], [45, 100]]; // L, over which a part ends and begins
const SCALE = [500, -200]; // a = 500 (fx - fy), b = -200 (fz - fy)

// A coloring (h, w, 4) of lightness L (h, w), balanced as the settings ask for.
export function balanced(L, coloring, { warmth = 0, tint = 0, shadows = 1, highlights = 1, natural = false }) {
  const gain = SCALE.map((scale, k) => 1 + (warmth * WARM[k] + tint * MAGENTA[k]) / scale);
  if (natural) castOf(L, coloring).forEach((cast, k) => (gain[k] /= 1 + cast / SCALE[k]));
  const shifts = gain.some((value) => value !== 1);
  if (!shifts && shadows === 1 && highlights === 1) return coloring;
  const more = SCALE.map((scale, k) => (scale * (gain[k] - 1)) / 116); // fy is (L + 16) / 116
  return coloring.map((value, i) => {
    const k = i & 1;
    const lightness = L[i >> 2];
    const factor = 1 + (shadows - 1) * (1 - step(lightness, ...DARK)) + (highlights - 1) * step(lightness, ...BRIGHT);
    return factor * (gain[k] * value + (i & 2 ? 16 * more[k] : more[k]));
  });
}

// The cast of what is nearly gray, as the ab that it gives to a white.
function castOf(L, coloring) {
  let found = [0, 0];
  let all = 0;
  for (const lightness of L) all += (lightness + 16) / 116;
  for (let round = 0; round < ROUNDS; round++) {
    let total = DOUBT * all;
    const sums = [0, 0];
    for (let i = 0; i < L.length; i++) {
      const fy = (L[i] + 16) / 116;
      const cast = [0, 1].map((k) => (coloring[4 * i + k] * L[i] + coloring[4 * i + 2 + k]) / fy);
      const far = ((cast[0] - found[0]) ** 2 + (cast[1] - found[1]) ** 2) / (2 * NEARLY_GRAY ** 2);
      const weight = fy * Math.exp(-far);
      total += weight;
      for (const k of [0, 1]) sums[k] += weight * cast[k];
    }
    found = sums.map((sum) => sum / total);
  }
  return found;
}

function step(value, low, high) {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}
