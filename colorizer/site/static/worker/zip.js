// A ZIP of files as they are: pictures are compressed already.

import { crc32 } from "./png_file.js";

const MOST = 0xffffffff; // bytes of all

// `files`: {name, blob}; gives a Blob. Names that are there twice get numbers.
export async function zip(files) {
  const [parts, entries] = [[], []];
  const names = new Set();
  let at = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const own = new TextEncoder().encode(unique(name, names));
    const fields = [[20, 2], [0x800, 2], [0, 2], [0, 2], [0x21, 2], [crc32(bytes), 4], [bytes.length, 4], [bytes.length, 4], [own.length, 2], [0, 2]];
    const head = packed([[0x04034b50, 4], ...fields]);
    entries.push({ own, fields, at });
    parts.push(head, own, blob);
    at += head.length + own.length + bytes.length;
    if (at > MOST) throw new Error("These photos are more than 4 GB together; download fewer at once.");
  }
  const start = at;
  for (const entry of entries) {
    const record = packed([[0x02014b50, 4], [20, 2], ...entry.fields, [0, 2], [0, 2], [0, 2], [0, 4], [entry.at, 4]]);
    parts.push(record, entry.own);
    at += record.length + entry.own.length;
  }
  parts.push(packed([[0x06054b50, 4], [0, 2], [0, 2], [entries.length, 2], [entries.length, 2], [at - start, 4], [start, 4], [0, 2]]));
  return new Blob(parts, { type: "application/zip" });
}

function unique(name, names) {
  const [, stem, end] = name.match(/^(.*?)(\.[^.]*)?$/s);
  let [found, count] = [name, 1];
  while (names.has(found.toLowerCase())) found = `${stem}-${++count}${end || ""}`;
  names.add(found.toLowerCase());
  return found;
}

function packed(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [, size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [value, size] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}
