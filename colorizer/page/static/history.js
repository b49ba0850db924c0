// Undo and redo: what was said of a photo before each change, and after those that were taken back.

const MOST_STEPS = 100;

export const state = ({ settings, hints, unseen, regions }) => JSON.stringify([settings, hints, unseen, regions]);

// Before a change; `before` if it has begun already.
export function keep(photo, before = state(photo)) {
  if (photo.past.at(-1) !== before) photo.past.push(before);
  if (photo.past.length > MOST_STEPS) photo.past.shift();
  photo.future = [];
}

// One step back, or forth; whether there was one.
export function travel(photo, back) {
  const [from, to] = back ? [photo.past, photo.future] : [photo.future, photo.past];
  const current = state(photo);
  while (from.length) {
    const next = from.pop();
    if (next === current) continue;
    to.push(current);
    const [settings, hints, unseen, regions = []] = JSON.parse(next);
    Object.assign(photo, { settings, hints, unseen, regions });
    return true;
  }
  return false;
}
