// What is asked of the worker, and what it answers: {id, name, args} -> {id, value}, or {id, error}.

import { load } from "./model.js";
import { Studio } from "./studio.js";

let studio = null;

const acts = {
  // Begins to load the model; it is waited for where it is needed.
  start(about, tell) {
    const network = load(about, (loaded, total) => tell({ loaded, total }));
    studio = new Studio(about, network);
    return network.then(({ threads }) => ({ threads }));
  },
  add: (id, file, isPalette) => studio.add(id, file, isPalette),
  remove: (id) => studio.remove(id),
  stop: (job) => studio.stop(job),
  gray: (id) => studio.gray(id),
  preview: (id, told) => studio.preview(id, told),
  region: (id, told) => studio.region(id, told),
  suggest: (id, told) => studio.suggest(id, told),
  render: (id, told, tell) => studio.render(id, told, tell),
};

addEventListener("message", async ({ data: { id, name, args } }) => {
  try {
    postMessage({ id, value: await acts[name](...args, (told) => postMessage({ id, told })) });
  } catch (error) {
    postMessage({ id, error: { sentence: String(error.message || error), gone: error.gone, isPlain: error.constructor === Error } });
  }
});
