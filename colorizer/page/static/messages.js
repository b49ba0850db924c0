// What the page says: messages that go by themselves, and how far long work is.

const $ = (id) => document.getElementById(id);

// `acts`: [words, what to do] of each button.
export function say(text, kind = "", ...acts) {
  for (const other of $("messages").children) if (other.dataset.text === text) other.remove();
  const message = document.createElement("div");
  message.className = `message ${kind}`;
  message.dataset.text = text;
  const words = document.createElement("span");
  words.textContent = text;
  message.append(words);
  const offered = acts.filter(Boolean);
  for (const [label, act] of offered) {
    const button = document.createElement("button");
    button.className = "button small";
    button.textContent = label;
    button.onclick = () => {
      message.remove();
      act();
    };
    message.append(button);
  }
  const close = document.createElement("button");
  close.className = "icon";
  close.textContent = "×";
  close.setAttribute("aria-label", "Close this message");
  close.onclick = () => message.remove();
  message.append(close);
  $("messages").append(message);
  setTimeout(() => message.remove(), offered.length ? 30000 : 12000);
}

// Long works, the last begun is shown; each is {text, share, cancel} and ends itself.
const works = [];

export function begin(text, cancel = null) {
  const work = { text, share: null, cancel };
  works.push(work);
  show();
  return {
    tell(words, share) {
      Object.assign(work, { text: words, share });
      show();
    },
    end() {
      works.splice(works.indexOf(work), 1);
      show();
    },
  };
}

export const isWorking = () => works.length > 0;

function show() {
  const work = works.at(-1);
  $("progress").hidden = !work;
  if (!work) return;
  $("progress").querySelector("span").textContent = work.text;
  const bar = $("progress").querySelector("progress");
  if (work.share === null) bar.removeAttribute("value");
  else bar.value = work.share;
  $("cancel").hidden = !work.cancel;
  $("cancel").onclick = work.cancel;
}
