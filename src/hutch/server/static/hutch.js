// What pages do beyond showing: frames are leafed through, new runs appear. Without it everything can be read.
"use strict";

const AGAIN_MS = 5000;

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

async function refresh(selector) {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [old, fresh] = [document.querySelector(selector), page.querySelector(selector)];
    if (old && fresh && old.innerHTML !== fresh.innerHTML && !old.contains(document.activeElement)) old.replaceWith(fresh);
  } catch {
    // The server is away; the page stays as it is.
  }
}

if (document.querySelector("#runs[data-live=yes]")) setInterval(() => refresh("#runs"), AGAIN_MS);
if (document.querySelector("article[data-status=running]")) {
  const timer = setInterval(async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer || !answer.ok || document.hidden) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of ["h1", ".facts"]) document.querySelector(part).replaceWith(page.querySelector(part));
    for (const part of document.querySelectorAll("figure.picture [src], figure.picture [srcset]")) {
      const name = part.hasAttribute("src") ? "src" : "srcset";
      part.setAttribute(name, `${part.getAttribute(name).split("&at=")[0]}&at=${Date.now()}`);
    }
    if (page.querySelector("article").dataset.status !== "running") { clearInterval(timer); location.reload(); }
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
