// The network, by ONNX Runtime Web: files that are fetched once, and a function.

import * as ort from "../../runtime/ort.wasm.bundle.min.mjs";
import { Likeness } from "./likeness.js";

const BASE = new URL("../../", import.meta.url);
const THREADS = 4;

// Loads what `about` (model/about.json) names; `tell(loaded, total)` says how far it is.
export async function load(about, tell) {
  if (typeof WebAssembly !== "object") throw new Error("This browser runs no WebAssembly, by which photos are colored; try a newer one.");
  const names = ["runtime", "graph", "weights", "likeness"].filter((name) => about.files[name]);
  const total = names.reduce((sum, name) => sum + about.files[name].size, 0);
  const loaded = Object.fromEntries(names.map((name) => [name, 0]));
  const fetched = await Promise.all(
    names.map((name) =>
      fetchAll(about.files[name], (count) => {
        loaded[name] = count;
        tell(names.reduce((sum, one) => sum + loaded[one], 0), total);
      }),
    ),
  );
  const [runtime, graph, weights, likeness] = fetched;
  ort.env.wasm.wasmBinary = await unpacked(runtime);
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  let session;
  try {
    session = await ort.InferenceSession.create(graph, {
      executionProviders: ["wasm"],
      externalData: [{ path: about.files.weights.inside, data: weights }],
      enableCpuMemArena: false,
      graphOptimizationLevel: "all",
    });
  } catch (error) {
    throw new Error(`The network does not start here (${String(error.message || error).split("\n")[0]}); this browser may be too old, or short of memory.`, { cause: error });
  }
  const run = runner(session, about);
  const look = (padded, temperature, prior) => run(["ab"], padded, temperature, prior).then(([{ values, height, width }]) => ({ ab: values, height, width }));
  const inner = (padded) => run(["features", "logits"], padded);
  const side = 64;
  await look({ values: new Float32Array(side * side).fill(50), height: side, width: side }); // what is compiled late, now
  return { threads: ort.env.wasm.numThreads, look, inner, likeness: likeness && new Likeness(likeness) };
}

// One run at a time: {values, height, width} of lightness -> {values, count, height, width} of each output.
function runner(session, about) {
  let line = Promise.resolve();
  const ones = new Float32Array(about.bins.length).fill(1);
  async function run(outputs, { values, height, width }, temperature, prior) {
    const feed = { L: new ort.Tensor("float32", values, [1, 1, height, width]) };
    if (about.takes.includes("temperature")) feed.temperature = new ort.Tensor("float32", [temperature || about.temperature], []);
    if (about.takes.includes("prior")) feed.prior = new ort.Tensor("float32", prior || ones, [ones.length]);
    const found = await session.run(feed, outputs);
    return outputs.map((name) => {
      const [data, [, count, h, w]] = [new Float32Array(found[name].data), found[name].dims];
      if (!data.every(Number.isFinite)) throw new Error(`The model ${about.model} predicted no finite chroma; is it trained?`);
      return { values: data, count, height: h, width: w };
    });
  }
  return (...told) => (line = line.catch(() => {}).then(() => run(...told)));
}

async function fetchAll({ name, size }, tell) {
  const failed = `${name} of the page could not be loaded`;
  let answer;
  try {
    answer = await fetch(new URL(name, BASE));
  } catch {
    throw new Error(`${failed}; is the network there? After one whole visit it is no longer needed.`);
  }
  if (!answer.ok) throw new Error(`${failed}: the server answered ${answer.status}.`);
  const bytes = new Uint8Array(size);
  let at = 0;
  try {
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > size) throw new RangeError();
      bytes.set(value, at);
      tell((at += value.length));
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw new Error(`${failed}: the network broke off; reload the page.`, { cause: error });
    at = -1;
  }
  if (at !== size) throw new Error(`${failed} whole: reload the page, or ask who runs it to write it anew.`);
  return bytes;
}

// The runtime is packed, whatever the server does.
const unpacked = (bytes) =>
  new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
