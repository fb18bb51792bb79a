// What pages do beyond showing: frames are leafed through, new runs appear. Without it everything can be read.
"use strict";

const AGAIN_MS = 5000;
const PATIENCE_MS = 30000;

for (const figure of document.querySelectorAll("figure.frames")) {
  const image = figure.querySelector("img");
  const range = figure.querySelector("input");
  const output = figure.querySelector("output");
  let wanted = null;
  let busy = false;
  const show = () => {
    if (busy || wanted === null) return;
    busy = true;
    const row = wanted;
    wanted = null;
    image.src = figure.dataset.source.replace("ROW", row);
    image.alt = `Frame ${row + 1}`;
  };
  const next = () => { busy = false; show(); };
  image.addEventListener("load", next);
  image.addEventListener("error", next);
  range.addEventListener("input", () => {
    wanted = Number(range.value);
    output.value = `${wanted + 1} of ${figure.dataset.rows}`;
    show();
  });
}

const picture = document.querySelector("figure.picture");
if (picture) {
  const image = picture.querySelector("img");
  const hide = () => { image.hidden = true; picture.querySelector("figcaption").hidden = false; };
  image.addEventListener("error", hide);
  if (image.complete && !image.naturalWidth) hide();
}

// When the page was last as the server has it.
let heard = new Date();

function shortTime(time) {
  const clock = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return time.toDateString() === new Date().toDateString() ? clock : `${time.toLocaleDateString()} ${clock}`;
}

// Say why the page is no longer followed; nothing if it is.
function tellAway(reason) {
  if (!reason) heard = new Date();
  const text = reason ? `Not updated since ${shortTime(heard)}: ${reason}.` : "";
  const line = document.querySelector("#away");
  if (line.textContent !== text) line.textContent = text;
}

const REFUSALS = {
  401: "the key is not known, or has ended; reload the page to give another one",
  403: "the key does not allow it any more",
  404: "what it shows is not there any more",
  410: "what it shows was deleted",
};

// Give the page as it is now; null if the server is away, or no longer says it: then it stays as it is.
async function ask() {
  if (document.hidden) return null;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await answer.text();
    tellAway(answer.ok ? "" : REFUSALS[answer.status] ?? `the server answers with an error, ${answer.status}`);
    return answer.ok ? new DOMParser().parseFromString(text, "text/html") : null;
  } catch {
    tellAway("the server does not answer");
    return null;
  }
}

async function refresh(selector) {
  const page = await ask();
  const [old, fresh] = [document.querySelector(selector), page?.querySelector(selector)];
  if (!old || !fresh || old.innerHTML === fresh.innerHTML) return;
  const [region, next] = [old, fresh].map((part) => part.querySelector(".scroll"));
  const used = document.activeElement;
  if (old.contains(used) && (used !== region || !next)) return;
  const left = region?.scrollLeft ?? 0;
  old.replaceWith(fresh);
  if (!next) return;
  next.scrollLeft = left;
  if (used === region) next.focus({ preventScroll: true });
}

// Put what an open run has become into its page, whose parts are the same.
function catchUp(page) {
  for (const part of ["h1", ".facts"]) document.querySelector(part).replaceWith(page.querySelector(part));
  for (const heading of document.querySelectorAll("h2[id^=stream-]")) heading.replaceWith(page.getElementById(heading.id));
  for (const part of document.querySelectorAll("figure.picture [src], figure.picture [srcset]")) {
    const name = part.hasAttribute("src") ? "src" : "srcset";
    part.setAttribute(name, `${part.getAttribute(name).split("&at=")[0]}&at=${Date.now()}`);
  }
  const fresh = page.querySelectorAll("figure.frames");
  document.querySelectorAll("figure.frames").forEach((figure, at) => {
    const range = figure.querySelector("input");
    const isNewest = range.value === range.max;
    figure.dataset.rows = fresh[at].dataset.rows;
    range.max = figure.dataset.rows - 1;
    if (isNewest && range.value !== range.max) {
      range.value = range.max;
      range.dispatchEvent(new Event("input"));
    } else {
      figure.querySelector("output").value = `${Number(range.value) + 1} of ${figure.dataset.rows}`;
    }
  });
}

if (document.querySelector("#runs[data-live=yes]")) setInterval(() => refresh("#runs"), AGAIN_MS);
if (document.querySelector("article[data-status=running]")) {
  const parts = (where) => where.querySelectorAll("section, figure").length;
  const timer = setInterval(async () => {
    const page = await ask();
    if (!page) return;
    // A stream that has begun brings its table and its picture along.
    if (page.querySelector("article").dataset.status === "running" && parts(page) === parts(document)) { catchUp(page); return; }
    clearInterval(timer);
    location.reload();
  }, AGAIN_MS);
}

if (document.querySelector("#entries[data-live=yes]")) setInterval(() => refresh("#entries"), AGAIN_MS);
const writing = document.querySelector("form.write");
if (writing) {
  const preview = document.querySelector("section.preview");
  writing.addEventListener("submit", async (event) => {
    if (event.submitter?.value !== "preview") return;
    event.preventDefault();
    const asked = new FormData(writing);
    asked.delete("files");
    const answer = await fetch(writing.dataset.preview, { method: "POST", body: asked }).catch(() => null);
    if (!answer) return;
    // The server has cleaned it, as it does when it is posted.
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    preview.querySelector(".entry").replaceChildren(...page.body.childNodes);
    preview.hidden = false;
    preview.scrollIntoView({ block: "nearest" });
  });
}
