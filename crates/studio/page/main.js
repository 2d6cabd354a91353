// @ts-check
// The page: its views, its look, and who hears of what happens.

import * as compare from "./compare.js";
import { by, complain } from "./dom.js";
import * as film from "./film.js";
import * as history from "./history.js";
import * as invite from "./invite.js";
import * as many from "./many.js";
import * as mask from "./mask.js";
import * as paint from "./paint.js";
import * as pictures from "./pictures.js";
import * as queue from "./queue.js";
import { get, listen } from "./server.js";
import * as settings from "./settings.js";

const VIEWS = ["paint", "compare", "queue", "history"];

/** @param {string} view @param {any} [row] */
function go(view, row) {
  for (const one of VIEWS) {
    by(one).hidden = one !== view;
    const tab = document.querySelector(`nav [data-view="${one}"]`);
    if (one === view) tab?.setAttribute("aria-current", "page");
    else tab?.removeAttribute("aria-current");
  }
  if (view === "compare") compare.open(row);
  if (view === "queue") queue.show();
  if (view === "history") history.show({ open: (id) => { go("paint"); paint.openResult(id); }, compare: (one) => go("compare", one), paint: () => go("paint") });
}

for (const tab of document.querySelectorAll("nav [data-view]")) tab.addEventListener("click", () => go(tab.getAttribute("data-view") ?? "paint"));
by("to-compare").addEventListener("click", () => go("compare", paint.current()));
by("open-many").addEventListener("click", () => many.open());
by("open-mask").addEventListener("click", () => mask.open());

const theme = by("theme");
const look = () => {
  if (theme.value === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme.value);
};
theme.value = localStorage.getItem("impasto-theme") ?? "system";
theme.addEventListener("change", () => { localStorage.setItem("impasto-theme", theme.value); look(); });
look();
if (!["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)) by("where").textContent = "Pictures go to the machine that runs the studio, and nowhere else.";

try {
  const start = await get("/api/start");
  pictures.start(start.pictures);
  settings.start(start);
  film.start(start.films);
  paint.start();
  compare.start();
  invite.start(start.invitation);
  listen((state) => { paint.tell(state); queue.tell(state); history.tell(state); },
    (linked) => { by("link").textContent = linked ? "" : linked === null ? "The program was started anew: open the address that it prints." : "The program does not answer: start it again if it was ended."; });
} catch (error) {
  complain(error);
}
