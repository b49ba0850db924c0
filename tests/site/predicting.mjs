// Looks with a network that makes chroma of lightness alone.
import { predictChroma, predictSteadily } from "../../colorizer/site/static/worker/chroma.js";
import { resize } from "../../colorizer/site/static/worker/resize.js";

function look({ values, height, width }) {
  const [h, w] = [height / 4, width / 4];
  const small = resize(values, [height, width, 1], h, w);
  const ab = new Float32Array(2 * h * w);
  small.forEach((L, i) => {
    ab[i] = 0.8 * L - 30;
    ab[h * w + i] = 1.2 * L - 50;
  });
  return { ab, height: h, width: w };
}

export const once = (L, h, w) => predictChroma(L, h, w, look);
export const steadily = (L, h, w, size) => predictSteadily(L, h, w, size, look);
