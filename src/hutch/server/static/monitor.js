// Plots follow the data: the server says when something has changed, and the tiles that did are put in place.
"use strict";

const tiles = document.querySelector("#tiles[data-news]");
const OFTEN_MS = 1000;
const AGAIN_MS_AFTER = 10000;

function age(seconds) {
  if (seconds < 1.5) return "just now";
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= 1.5 * length) return `${Math.round(seconds / length)} ${unit} ago`;
  }
  return `${Math.round(seconds)} s ago`;
}

function tell() {
  for (const time of tiles.querySelectorAll("time.age:not([data-time=''])")) {
    time.textContent = age(Math.max(Date.now() / 1000 - Number(time.dataset.time), 0));
  }
}

let busy = false;
let wanted = false;

async function renew() {
  wanted = true;
  if (busy || document.hidden) return;
  busy = true;
  try {
    while (wanted) {
      wanted = false;
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) break;
      place(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#tiles"));
    }
  } catch {
    // The server is away; the page stays as it is, and ages show how old it is.
  } finally {
    busy = false;
  }
}

function place(fresh) {
  if (!fresh) return;
  const keys = (where) => [...where.querySelectorAll(".tile")].map((tile) => tile.dataset.key).join();
  const isSame = fresh.querySelector(".tile") && keys(fresh) === keys(tiles);
  if (!isSame) {
    if (!tiles.contains(document.activeElement)) tiles.replaceChildren(...fresh.childNodes);
    return;
  }
  const olds = tiles.querySelectorAll(".tile");
  fresh.querySelectorAll(".tile").forEach((tile, at) => {
    if (tile.dataset.updated === olds[at].dataset.updated || olds[at].contains(document.activeElement)) return;
    const [image, before] = [tile.querySelector("img"), olds[at].querySelector("img")];
    // The picture is there before the old one goes, so that nothing flickers.
    if (!image || !before) { olds[at].replaceWith(tile); return; }
    image.loading = "eager";
    image.decode().catch(() => null).then(() => olds[at].replaceWith(tile));
  });
  tiles.querySelectorAll("h2").forEach((heading, at) => {
    const other = fresh.querySelectorAll("h2")[at];
    if (other && heading.innerHTML !== other.innerHTML) heading.replaceWith(other);
  });
}

if (tiles) {
  let poll = null;
  const asking = () => { poll ??= setInterval(renew, AGAIN_MS_AFTER); };
  const news = new EventSource(tiles.dataset.news);
  news.addEventListener("open", () => { clearInterval(poll); poll = null; });
  news.addEventListener("tiles", renew);
  news.addEventListener("error", asking);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  setInterval(tell, OFTEN_MS);
}
