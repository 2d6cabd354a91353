// @ts-check
// The easel: what is painted, how it goes, and what can be done about it.

import { by, complain, dialog, duration, h, quiet, say, sentences } from "./dom.js";
import { change, complete, onchange, order, take, told } from "./order.js";
import { show as showFilm } from "./film.js";
import { show as showPictures } from "./pictures.js";
import { get, post, small } from "./server.js";

/** What the program says. @type {any} */
let now = { job: null, ended: null, preview: 0 };
/** The result on the easel. @type {any} */
let result = null;
let shown = 0;
let loading = false;
/** The job that is watched. */
let watched = 0;

/** Starts painting; from the present picture where that is steering. @param {"fresh" | "present" | string} from @param {Record<string, any>} [more] */
export async function paint(from = "fresh", more = {}) {
  problems(null);
  if (!complete()) {
    problems(order.content ? "Choose a painting to learn from: drop one, or take a built-in one." : "Choose a photo to paint: drop one, or take a built-in one.");
    return;
  }
  const start = from === "fresh" ? {} : { start: from };
  try {
    const { id } = await post("/api/paint", told({ ...start, ...more }));
    watched = id;
    result = null;
    refresh();
  } catch (error) {
    problems(sentences(error));
  }
}

/** @param {string | null} text */
function problems(text) {
  by("problems").hidden = text === null;
  by("problems").textContent = text ?? "";
}

const live = () => now.job?.live && now.job;

/** Takes the newest state. @param {any} state */
export function tell(state) {
  const before = now;
  now = state;
  if (state.preview > shown && !loading && (state.job?.live || watched)) showPreview(state.preview);
  const ended = state.ended;
  if (ended && JSON.stringify(ended) !== JSON.stringify(before.ended)) finished(ended);
  refresh();
}

/** Only the newest preview counts: those that come while one is loaded are passed over. @param {number} number */
function showPreview(number) {
  loading = true;
  const image = new Image();
  image.onload = () => {
    loading = false;
    shown = number;
    if (!result) onEasel(image.src);
    if (now.preview > shown && !result) showPreview(now.preview);
  };
  image.onerror = () => { loading = false; };
  image.src = `/api/preview?n=${number}`;
}

/** @param {string} source @param {boolean} [waiting] */
export function onEasel(source, waiting = false) {
  play(null);
  const picture = by("picture");
  picture.src = source;
  picture.hidden = false;
  picture.classList.toggle("waiting", waiting);
  by("welcome").hidden = true;
}

/** Shows a film, or none. @param {string | null} source */
function play(source) {
  const player = by("player");
  player.hidden = !source;
  if (!source && player.hasAttribute("src")) { player.removeAttribute("src"); player.load(); }
  if (!source) return;
  player.src = source;
  by("picture").hidden = true;
  by("welcome").hidden = true;
}

/** @param {any} ended */
async function finished(ended) {
  if (ended.problem) problems(ended.problem);
  if (ended.result) await openResult(ended.id);
  if (ended.id === watched) watched = 0;
  refresh();
}

/** Shows a result on the easel. @param {number} id */
export async function openResult(id) {
  try {
    const { result: row } = await get(`/api/results/${id}/settings`);
    result = row;
    if (row.film) play(`/api/results/${id}/film`);
    else onEasel(`/api/results/${id}/picture`);
    refresh();
  } catch (error) {
    complain(error);
  }
}

/** The result on the easel. */
export const current = () => result;

function refresh() {
  const job = live();
  const waiting = watched && !job && !result;
  by("start").textContent = job ? "Begin anew" : "Paint";
  by("stop").disabled = !job;
  by("on").disabled = !(result?.state === "stopped") || result.film || Boolean(job);
  for (const id of ["more", "to-compare", "star", "export"]) by(id).disabled = !result || (result.film && (id === "more" || id === "to-compare"));
  by("star").setAttribute("aria-pressed", String(Boolean(result?.starred)));
  by("star").textContent = result?.starred ? "★ Starred" : "☆ Star";
  const badge = by("badge");
  // Where a film has it, its player has its handles.
  badge.hidden = (!job && !result) || !by("player").hidden;
  badge.textContent = result ? `${result.width} × ${result.height}` : job?.scale ? `${job.size[0]} × ${job.size[1]}` : "a first look";
  by("progress").value = job ? job.progress : result ? 1 : 0;
  by("phase").textContent = job
    ? job.phase === "painting" ? `Painting: size ${job.scale} of ${job.scales}, step ${job.step} of ${job.steps}` : job.phase === "saving" ? "Writing the picture" : "Getting ready: a first look comes at once"
    : waiting ? "Getting ready" : result ? `${result.state === "stopped" ? "Stopped and kept" : "Done"}${result.seconds ? ` after ${duration(result.seconds)}` : ""}: ${result.file}` : "Nothing is being painted";
  by("left").textContent = job?.left ? `${duration(job.left)} left` : "";
  const losses = job?.losses ?? [];
  const svg = by("losses");
  svg.toggleAttribute("hidden", losses.length < 2);
  if (losses.length >= 2) {
    const most = Math.max(...losses), least = Math.min(...losses), span = most - least || 1;
    svg.firstElementChild?.setAttribute("points", losses.map((/** @type {number} */ loss, /** @type {number} */ at) =>
      `${((300 * at) / (losses.length - 1)).toFixed(1)},${(38 - (36 * (loss - least)) / span).toFixed(1)}`).join(" "));
  }
}

/** Whether what was changed since it was painted last cannot go on from the present picture. */
let fresh = false;
const again = quiet(40, () => {
  if (!complete()) return;
  const from = fresh || !(live() || watched) ? "fresh" : "present";
  fresh = false;
  paint(from);
});

const WORDS = {
  keep: [[-60, "mostly style"], [-20, "more style"], [20, "balanced"], [60, "more photo"], [101, "mostly photo"]],
  strokes: [[-60, "fine"], [-20, "finer"], [20, "as in the painting"], [60, "broader"], [101, "broad"]],
};

/** Shows the order in the form. */
export function showOrder() {
  showPictures();
  for (const id of /** @type {("keep" | "strokes")[]} */ (["keep", "strokes"])) {
    by(id).value = order[id];
    by(`${id}-out`).textContent = WORDS[id].find(([most]) => order[id] < Number(most))?.[1] ?? "";
  }
  by("quality").value = order.quality;
  const size = by("size");
  if (![...size.options].some((option) => option.value === String(order.size))) size.append(h("option", {}, String(order.size)));
  size.value = String(order.size);
  const parts = order.regions.length + (order.mask ? 1 : 0);
  by("mask-told").hidden = parts === 0;
  const many = order.regions.length;
  by("mask-told").textContent = [many ? `${many} region${many === 1 ? "" : "s"} in paintings of their own` : "", order.mask ? "some of the photo is kept" : ""].filter(Boolean).join(", ");
  showFilm();
  if (order.content && by("picture").hidden && by("player").hidden) onEasel(small(order.content.picture), true);
  if (!order.content && !result && !live() && by("player").hidden) { by("picture").hidden = true; by("welcome").hidden = false; }
}

/** Makes the easel work. */
export function start() {
  onchange((what) => {
    showOrder();
    if (complete()) problems(null);
    if (what === "taken") return;
    if (what === "pictures") {
      result = null;
      if (order.content && !complete()) onEasel(small(order.content.picture), true);
    }
    if (what !== "knobs") fresh = true;
    again();
  });
  for (const id of ["keep", "strokes"]) by(id).addEventListener("input", () => change("knobs", { [id]: Number(by(id).value) }));
  by("quality").addEventListener("change", () => change("work", { quality: by("quality").value, recipe: "", text: "" }));
  by("size").addEventListener("change", () => change("work", { size: Number(by("size").value) }));
  by("start").addEventListener("click", () => paint());
  by("stop").addEventListener("click", stop);
  by("on").addEventListener("click", async () => {
    try {
      const { id } = await post(`/api/jobs/${result.id}/on`, {});
      watched = id;
      result = null;
    } catch (error) { complain(error); }
    refresh();
  });
  by("more").addEventListener("click", more);
  by("enqueue").addEventListener("click", enqueue);
  by("star").addEventListener("click", async () => {
    result = { ...result, starred: !result.starred };
    refresh();
    await post(`/api/results/${result.id}/star`, { starred: result.starred }).catch(complain);
  });
  by("export").addEventListener("click", () => exporting(result));
  by("order").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); paint(); }
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) stop();
  });
  showOrder();
}

function stop() {
  const job = live();
  if (job) post(`/api/jobs/${job.id}/stop`, { keep: true }).catch(complain);
}

/** Steps more on the result that is shown, as it was ordered, whatever is on the page. */
async function more() {
  const { id } = result;
  try {
    const { order: before } = await get(`/api/results/${id}/settings`);
    if (!before?.content) { problems("This picture does not know how it was ordered, so it cannot go on"); return; }
    take(before, before.names ?? {}, "taken");
    paint(`result:${id}`, { steps: 20 });
  } catch (error) { complain(error); }
}

async function enqueue() {
  if (!complete()) { paint(); return; }
  try {
    await post("/api/queue", [told()]);
    say("It is in the queue");
  } catch (error) { problems(sentences(error)); }
}

/** Asks how a result is to be exported. @param {any} row */
export function exporting(row) {
  if (row.film) {
    h("a", { href: `/api/results/${row.id}/film?save=1`, download: "" }).click();
    return;
  }
  const format = h("select", { id: "export-format" }, ...["png", "jpeg", "webp", "tiff"].map((name) => h("option", { value: name }, name.toUpperCase())));
  const settings = h("input", { type: "checkbox", checked: true, id: "export-settings" });
  const size = h("select", { id: "export-size" }, h("option", { value: "" }, `as it is: ${row.width} × ${row.height}`),
    ...[1024, 2048, 3072, 4096].filter((side) => side > Math.max(row.width, row.height)).map((side) => h("option", { value: side }, `painted anew at ${side}`)));
  const plan = h("p", { class: "told", role: "status" });
  const go = h("button", { type: "button", class: "main", id: "export-go" }, "Save");
  size.addEventListener("change", async () => {
    go.textContent = size.value ? "Add to the queue" : "Save";
    format.disabled = settings.disabled = Boolean(size.value);
    plan.textContent = size.value ? "Looking what that takes …" : "";
    if (!size.value) return;
    try {
      const { order: before } = await get(`/api/results/${row.id}/settings`);
      const needed = await post("/api/plan", larger(before, Number(size.value)));
      plan.textContent = `About ${needed.seconds ? duration(needed.seconds) : "an unknown time"} and ${(needed.bytes / 2 ** 30).toFixed(1)} GB of memory`;
    } catch (error) { plan.textContent = sentences(error); }
  });
  go.addEventListener("click", async () => {
    close();
    if (size.value) {
      try {
        const { order: before } = await get(`/api/results/${row.id}/settings`);
        await post("/api/queue", [larger(before, Number(size.value))]);
        say("The larger picture is in the queue");
      } catch (error) { complain(error); }
      return;
    }
    h("a", { href: `/api/results/${row.id}/export?format=${format.value}&settings=${settings.checked ? 1 : 0}`, download: "" }).click();
  });
  const close = dialog("Export", h("label", {}, "Format ", format), h("label", {}, "Size ", size), plan,
    h("label", {}, settings, " With its settings, so that it can be painted again"),
    h("div", { class: "row" }, go, h("button", { type: "button", onclick: () => close() }, "Cancel")));
}

/** @param {any} before @param {number} side */
function larger(before, side) {
  const { names, start: _, steps: __, ...rest } = before;
  return { ...rest, size: side };
}
