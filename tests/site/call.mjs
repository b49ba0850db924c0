// Calls a function of a module: `node call.mjs MODULE FUNCTION FOLDER`. Arguments are in
// FOLDER/arguments.json; {"file", "type"} there stands for an array, the result goes the same way.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , path, name, folder] = process.argv;
const read = ({ file, type }) => {
  const { buffer, byteOffset, byteLength } = readFileSync(`${folder}/${file}`);
  return new globalThis[type](buffer.slice(byteOffset, byteOffset + byteLength));
};
const taken = (value) => {
  if (Array.isArray(value)) return value.map(taken);
  if (value && typeof value === "object") return value.file ? read(value) : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, taken(one)]));
  return value;
};
let count = 0;
const given = (value) => {
  if (ArrayBuffer.isView(value)) {
    const file = `result-${count++}`;
    writeFileSync(`${folder}/${file}`, value);
    return { file, type: value.constructor.name };
  }
  if (value instanceof Map) return given(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(given);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, given(one)]));
  return value;
};
const module = await import(pathToFileURL(path));
const found = await module[name](...taken(JSON.parse(readFileSync(`${folder}/arguments.json`, "utf8"))));
writeFileSync(`${folder}/result.json`, JSON.stringify(given(found) ?? null));
