// Plots follow the data: the server says when something has changed, and the tiles that did are put in place.
"use strict";

const tiles = document.querySelector("#tiles[data-news]");
const isWall = document.body.classList.contains("wall");
const OFTEN_MS = 1000;
const AGAIN_MS_AFTER = 10000;
// The server says every 15 s that there is nothing new.
const SILENT_MS = 45000;
const LEAST_REM = 24;

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

// On the wall the pictures are as large as leaves all of them on the screen, with the text below or beside them;
// if they would be too small to be read, the page scrolls.
function fit() {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  let [best, isBeside] = [LEAST_REM * rem, null];
  tiles.classList.add("fitted");
  for (const beside of [false, true]) {
    tiles.classList.toggle("beside", beside);
    let [low, high] = [best, tiles.clientWidth];
    while (low <= high) {
      const width = Math.floor((low + high) / 2);
      tiles.style.setProperty("--picture", `${width}px`);
      if (isFitting()) [best, isBeside, low] = [width, beside, width + 1];
      else high = width - 1;
    }
  }
  tiles.classList.toggle("fitted", isBeside !== null);
  tiles.classList.toggle("beside", isBeside === true);
  if (isBeside === null) tiles.style.removeProperty("--picture");
  else tiles.style.setProperty("--picture", `${best}px`);
}

function isFitting() {
  const page = document.documentElement;
  const widths = [...tiles.querySelectorAll(".tile")].map((tile) => tile.scrollWidth - tile.clientWidth);
  return page.scrollHeight <= page.clientHeight && Math.max(...widths, 0) <= 0;
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
      const page = await ask();
      if (!page) break;
      place(page.querySelector("#tiles"));
    }
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
    if (isWall) fit();
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
  // When the server last said something; until then the page is as it has it.
  let word = Date.now();
  const askFrom = (time) => {
    if (poll !== null) return;
    heard = new Date(time);
    poll = setInterval(renew, AGAIN_MS_AFTER);
    renew();
  };
  const told = () => {
    word = Date.now();
    if (poll === null) return;
    clearInterval(poll);
    poll = null;
    renew();
  };
  const news = new EventSource(tiles.dataset.news);
  // It begins with a message: what changed since the page was made is in what is asked for then.
  for (const kind of ["message", "tiles"]) news.addEventListener(kind, () => { told(); renew(); });
  news.addEventListener("quiet", told);
  news.addEventListener("error", () => askFrom(Date.now()));
  setInterval(() => { if (Date.now() - word > SILENT_MS) askFrom(word); }, OFTEN_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  setInterval(tell, OFTEN_MS);
  if (isWall) {
    fit();
    addEventListener("resize", fit);
    // Words get longer, and pictures come in another shape than was thought.
    tiles.addEventListener("load", fit, true);
    setInterval(() => { if (tiles.classList.contains("fitted") && !isFitting()) fit(); }, OFTEN_MS);
  }
}
