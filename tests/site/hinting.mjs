// Hints over arrays, by way of what the worker holds as objects.
import { countOf, readHints } from "../../colorizer/site/static/worker/hints.js";
import { eases, Likeness, pairs, steps } from "../../colorizer/site/static/worker/likeness.js";
import { follow, followers, mark, spokesmen, within } from "../../colorizer/site/static/worker/propagate.js";
import { likeliest, sharesAt } from "../../colorizer/site/static/worker/suggest.js";

export const waysOf = (L, kinds, h, w, cells) => cells.map((cell) => eases(steps(L, kinds, h, w), h, w, cell));
export const pairsOf = (L, ab, h, w, cells, differences, ways) => cells.map((cell, m) => pairs(L, ab, h, w, cell, differences[m], ways[m]));

export function marksOf(told, h, w) {
  const marks = mark(readHints(told), h, w);
  const cells = spokesmen(marks);
  return { ...marks, hold: Float64Array.from(marks.hold), reach: marks.reach.map((value) => Math.min(value, 1e9)), cells, within: cells.map((at) => within(marks, at) || new Float64Array(h * w).fill(1)) };
}

export function look(bytes, L, features, h, w) {
  const { query, key, none } = new Likeness(bytes).look(L, features, h, w);
  return { query, key, none };
}

// one hint after another, then all of them anew with another prediction, as what is kept must not be seen
export function carried(bytes, L, features, h, w, ab, told) {
  const likeness = new Likeness(bytes);
  const alike = likeness.look(L, features, h, w);
  const carry = (values, count) => likeness.carry(alike, L, values, mark(readHints({ ...told, hints: told.hints.slice(0, count) }), h, w));
  for (let count = 1; count < told.hints.length; count++) carry(ab, count);
  return { first: carry(ab), second: carry(ab.map((value) => value / 2)) };
}

export function followed(bytes, L, H, W, coloring, features, h, w, small, told) {
  const likeness = new Likeness(bytes);
  const alike = likeness.look(small, features, h, w);
  return follow(L, H, W, coloring, [h, w], readHints(told), (...about) => likeness.carry(alike, ...about));
}

export function following(bytes, L, H, W, coloring, features, h, w, small, told) {
  const likeness = new Likeness(bytes);
  const alike = likeness.look(small, features, h, w);
  return readHints(told).points.map((one) => followers(L, H, W, coloring, [h, w], one, (...about) => likeness.carry(alike, ...about)));
}

export const suggested = (bins, values, count, height, width, H, W, x, y, lean, prior, all) =>
  all.map((L) => likeliest(bins, sharesAt({ values, count, height, width }, H, W, x, y, lean, prior), L));

export function carriedAtOnce(bytes, L, features, h, w, ab, told) {
  const likeness = new Likeness(bytes);
  const alike = likeness.look(L, features, h, w);
  const marks = mark(readHints(told), h, w);
  return { first: likeness.carry(alike, L, ab, marks), second: likeness.carry(alike, L, ab.map((value) => value / 2), marks) };
}

export const counted = (all) => all.map(countOf);

export const refused = (all) =>
  all.map((told) => {
    try {
      return `not refused: ${readHints(told)}`;
    } catch (error) {
      return error.message;
    }
  });
