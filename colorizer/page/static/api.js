// What the page asks of its server; every failure is an Error with a sentence.

export class Gone extends Error {}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The page's server does not answer; start `colorizer serve` again.");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  const sentence = told.error || `The server answered ${answer.status}.`;
  throw answer.status === 404 ? new Gone(sentence) : new Error(sentence);
}

const post = (path, body, signal) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

export const about = async () => (await ask("api/about")).json();

export const upload = async (file) =>
  (
    await ask(`api/photos?name=${encodeURIComponent(file.name || "pasted.png")}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: file,
    })
  ).json();

export const forget = (id) => ask(`api/photos/${id}`, { method: "DELETE" }).catch(() => {});

export const gray = async (id) => (await ask(`api/photos/${id}/gray`)).blob();

export const preview = async (id, told, signal) =>
  (await post(`api/photos/${id}/preview`, told, signal)).blob();

export const suggest = async (id, told) => (await post(`api/photos/${id}/suggest`, told)).json();

// Colors at full size, then hands the file to the browser.
export async function download(photos, format, progress) {
  const { id } = await (await post("api/downloads", { photos, format })).json();
  for (let wait = 100; ; wait = Math.min(1000, wait * 1.3)) {
    await new Promise((done) => setTimeout(done, wait));
    const job = await (await ask(`api/downloads/${id}`)).json();
    progress(job.done, job.total);
    if (job.error) throw new Error(job.error);
    if (!job.file) continue;
    save(`api/results/${job.file}`, job.name);
    return job.notes;
  }
}

export function save(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}
