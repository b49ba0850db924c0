// A photo as the page has it: its settings, its hints, and the way back.

// What changes the whole picture, and what leaves it as it comes.
const BALANCE = { warmth: 0, tint: 0, shadows: 1, highlights: 1, natural: false };
// `leave` is of shots of a film: they stay as they are.
const PLAIN = { vividness: 1, boldness: 0, variant: 1, quality: "fast", palette: null, reference: null, colorsFrom: null, leave: false, ...BALANCE };
const EMPTY = { hints: [], regions: [], unseen: [] };
const BEHIND = { photo: "-colored", layer: "-layer", pair: "-pair" };
export const LAYERS = [".png", ".tif"]; // what holds a layer
const MOST_KEPT = 200_000; // characters that the server keeps of one

export const page = {
  server: { steers: false, hints: false, lends: [], temperature: 1, formats: {}, most: Infinity },
  photos: [],
  films: [], // each with `shots`, whose key frames are photos
  now: null, // the photo on the stage
};

export const filmOf = (photo) => photo && page.films.find(({ id }) => id === photo.of);

// The photos among which one stands: all photos, or the shots of its film.
export const rowOf = (photo) => filmOf(photo)?.shots || page.photos;

export const labelOf = (photo) => photo.label || photo.name;

// What a shot is until something else is said.
const isLeft = ({ shot }) => !!(shot && (shot.in_color || shot.title));

export function create(told, file = null) {
  const photo = { ...told, file, settings: { ...PLAIN }, ...structuredClone(EMPTY), rating: 0, past: [], future: [] };
  photo.format = formatOf(photo);
  photo.settings.leave = isLeft(photo);
  if (told.state) read(photo, told.state);
  return photo;
}

function formatOf({ name, bits }) {
  const end = name.split(".").pop().toLowerCase();
  const own = { tif: ".tif", tiff: ".tif", png: ".png", webp: ".webp", avif: ".avif" }[end];
  const wanted = own || (bits > 8 ? ".tif" : ".jpg");
  return wanted in page.server.formats ? wanted : Object.keys(page.server.formats).at(-1);
}

// The format of downloads says the form, too: ".png" is a photo, "layer.png" its colors alone.
export function formOf({ format }) {
  const [form, end] = format.split(".");
  return { result: form || "photo", format: `.${end}` };
}

export const stemOf = (name) => name.replace(/\.[^.]*$/, "");

// What the engine is told ------------------------------------------------------------------

// Settings that name another picture, which lends its colors, as the engine calls them.
export const LENT = { palette: "palette", reference: "reference", colorsFrom: "colors_from" };
const renewed = new Map(); // such pictures that were sent again: id -> id
export const renew = (old, id) => renewed.set(old, id);
function lenderOf({ settings }, name) {
  let id = settings[name]?.id;
  while (renewed.has(id)) id = renewed.get(id);
  return id;
}

// Those of a photo: as the engine calls the setting -> id.
export const lentOf = (photo) => Object.fromEntries(Object.entries(LENT).filter(([name]) => photo.settings[name]).map(([name, told]) => [told, lenderOf(photo, name)]));

export function settingsOf(photo) {
  const { vividness, boldness, variant, quality } = photo.settings;
  const told = { vividness, quality, ...balanceOf(photo) };
  if (!page.server.steers) return { ...told, ...lentOf(photo) };
  if (boldness) told.temperature = temperatureOf(boldness);
  if (variant > 1) told.variant = variant;
  return { ...told, ...lentOf(photo) };
}

// Whether anything is said of a shot.
const isSaid = (photo) => photo.settings.leave || hasHints(photo) || JSON.stringify(settingsOf(photo)) !== '{"vividness":1,"quality":"fast"}';
export const isSaidOf = ({ shots }) => shots.some(isSaid);

// What the work on a film is told of a shot.
export const saidOf = (photo) => ({ id: photo.id, ...toldOf(photo), keep: photo.settings.leave || null });

const balanceOf = ({ settings }) => Object.fromEntries(Object.keys(BALANCE).filter((name) => settings[name] !== BALANCE[name]).map((name) => [name, settings[name]]));

const temperatureOf = (boldness) =>
  Number(Math.min(10, Math.max(0.02, page.server.temperature * 4 ** -boldness)).toFixed(3));

const round = (value) => Number(value.toFixed(5));

export const hintsOf = (photo) => ({
  version: 1,
  hints: [
    ...photo.hints.map((hint) =>
      hint.at ? { ...hint, at: hint.at.map(round) } : { ...hint, stroke: hint.stroke.map((place) => place.map(round)) },
    ),
    ...photo.regions.map((one) => ({ ...one, region: one.region.map((place) => place.map(round)) })),
    ...photo.unseen,
  ],
});

export const hasHints = (photo) => photo.hints.length + photo.regions.length + photo.unseen.length > 0;

// What a download is asked for.
export const wantedOf = (photo) => {
  const { result, format } = formOf(photo);
  const { settings, hints } = toldOf(photo);
  return { id: photo.id, settings: result === "photo" ? settings : { ...settings, result }, hints, format };
};

export const toldOf = (photo) => ({
  settings: settingsOf(photo),
  hints: hasHints(photo) ? hintsOf(photo) : null,
});

// The hints of a file: those that the page shows, and the others, which it keeps as they are.
export function readHints(text) {
  const found = JSON.parse(text);
  const list = Array.isArray(found) ? found : found.hints;
  if (!Array.isArray(list)) throw new Error("there is no list of hints");
  const isFirst = (hint) => (hint.page || 1) === 1;
  const isHint = (hint) => hint.color && (hint.at || hint.stroke) && isFirst(hint);
  const isRegion = (hint) => hint.region && isFirst(hint);
  return {
    hints: list.filter(isHint).map((hint) => ({ ...hint, color: hint.color.toLowerCase() })),
    regions: list.filter(isRegion).map((hint) => ({ keep: "predicted", ...hint })),
    unseen: list.filter((hint) => !isHint(hint) && !isRegion(hint)),
  };
}

const quote = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function filmCommand(film) {
  const stem = stemOf(film.name);
  const lossless = film.format === "lossless";
  const words = ["colorizer", "video", quote(film.name), quote(`${stem}-colored.${lossless ? "mkv" : film.format}`)];
  if (page.server.model) words.push("--model", quote(page.server.model));
  if (lossless) words.push("--codec", "ffv1");
  if (film.fields) words.push(`--${film.fields}`);
  if (isSaidOf(film)) words.push("--shots", quote(`${stem}-shots/shots.json`));
  if (film.shots.some((photo) => (hasHints(photo) || photo.settings.colorsFrom || photo.settings.reference) && !photo.settings.leave)) words.push("--reference", quote(`${stem}-shots/references`));
  return words.join(" ");
}

export function command(photo) {
  if (filmOf(photo)) return filmCommand(filmOf(photo));
  const told = settingsOf(photo);
  const stem = stemOf(photo.name);
  const { result, format } = formOf(photo);
  const words = ["colorizer", "colorize", quote(photo.name), "-o", quote(`${stem}${BEHIND[result]}${format}`)];
  if (page.server.model) words.push("--model", quote(page.server.model));
  if (told.vividness !== 1) words.push("--vividness", told.vividness);
  if (told.temperature) words.push("--temperature", told.temperature);
  for (const [name, flag] of Object.entries(LENT)) if (photo.settings[name]) words.push(`--${flag.replace("_", "-")}`, quote(photo.settings[name].name));
  if (told.quality === "best") words.push("--quality", "best");
  for (const [name, value] of Object.entries(balanceOf(photo))) words.push(value === true ? `--${name}` : `--${name}=${value}`);
  if (result !== "photo") words.push("--result", result);
  if (photo.salvage) words.push("--salvage");
  if (hasHints(photo)) words.push("--hints", quote(`${stem}-hints.json`));
  if (told.variant) words.push("--variants", told.variant, `# writes ${told.variant} files; the last is this one`);
  return words.join(" ");
}

export function reset(photo) {
  Object.assign(photo, { settings: { ...PLAIN, leave: isLeft(photo) }, ...structuredClone(EMPTY) });
}

// What the server keeps, and how it comes back.
export function write(photo) {
  const { settings, hints, unseen, regions, format, rating } = photo;
  let { past, future } = photo;
  for (;;) {
    const text = JSON.stringify({ settings, hints, unseen, regions, format, rating, past, future });
    if (text.length <= MOST_KEPT || !(past.length + future.length)) return text;
    past = past.slice(Math.ceil(past.length / 2));
    future = [];
  }
}

export function read(photo, text) {
  const told = JSON.parse(text);
  Object.assign(photo, structuredClone(EMPTY), told, { settings: { ...PLAIN, ...told.settings } });
}
