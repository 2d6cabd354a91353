// @ts-check
// The queue: what waits, in which order.

import { by, complain, h, say } from "./dom.js";
import { far } from "./film.js";
import { get, post, remove, small } from "./server.js";

/** @type {any} */
let state = {};

const WORDS = { queued: "waits", painting: "is being painted", paused: "paused", failed: "could not be painted" };

/** @param {any} now */
export function tell(now) {
  const before = state;
  state = now;
  if (now.problem && now.problem !== before.problem) say(now.problem);
  if (now.queue !== before.queue || now.paused !== before.paused || now.problem !== before.problem) show();
  else progress();
}

function progress() {
  const { job } = state;
  const bar = document.querySelector("#queue progress");
  if (bar instanceof HTMLProgressElement && job) bar.value = job.progress;
  if (!job?.film || by("queue").hidden || !by("film-far")) return;
  by("film-far").textContent = far(job.film, job.left);
  newest();
}

/** Which preview is shown of a film, and whether one is under way. */
let shown = 0;
let loading = false;

/** Shows the newest frame of the film that is painted. */
async function newest() {
  if (loading || state.preview <= shown) return;
  loading = true;
  const image = new Image();
  image.src = `/api/preview?n=${state.preview}`;
  shown = state.preview;
  try {
    await image.decode();
    const place = by("film-newest");
    if (place) { place.src = image.src; place.hidden = false; }
  } catch { /* The next one may be there. */ }
  loading = false;
}

/** Shows it. */
export async function show() {
  /** @type {any} */
  let queue;
  try { queue = await get("/api/queue"); } catch (error) { complain(error); return; }
  const { jobs, paused } = queue;
  const waiting = jobs.filter((/** @type {any} */ job) => job.state !== "failed").length;
  const failed = jobs.filter((/** @type {any} */ job) => job.state === "failed");
  by("waiting").hidden = waiting === 0 && failed.length === 0;
  by("waiting").textContent = failed.length ? `${waiting}, ${failed.length} failed` : String(waiting);
  const act = (/** @type {() => Promise<any>} */ what) => () => what().catch(complain);
  const ids = jobs.map((/** @type {any} */ job) => job.id);
  const move = (/** @type {number} */ at, /** @type {number} */ by) => {
    const order = [...ids];
    const [id] = order.splice(at, 1);
    order.splice(at + by, 0, id);
    return post("/api/queue/order", { ids: order });
  };
  shown = 0;
  by("queue").replaceChildren(
    state.problem ? h("p", { class: "problems", role: "alert" }, state.problem) : "",
    h("div", { class: "bar" }, h("h2", {}, "Queue"), jobs.length ? h("button", { type: "button", "aria-pressed": String(paused), onclick: act(() => post("/api/queue/pause", { paused: !paused })) }, paused ? "Let it go on" : "Pause all") : null,
      failed.length ? h("button", { type: "button", id: "remove-failed", onclick: act(() => Promise.all(failed.map((/** @type {any} */ job) => remove(`/api/jobs/${job.id}`))).then(() => say(`${failed.length} out of the queue`))) }, `Remove the ${failed.length} that failed`) : null),
    jobs.length ? h("ul", { class: "jobs" }, ...jobs.map((/** @type {any} */ job, /** @type {number} */ at) => h("li", {},
      h("img", { src: job.content ? small(job.content) : "", alt: "" }),
      h("div", {}, h("div", {}, job.title), h("small", { class: job.problem ? "wrong" : "" }, job.problem ?? [job.how, /** @type {any} */ (WORDS)[job.state] ?? job.state].filter(Boolean).join(" · ")),
        job.state === "painting" ? h("progress", { max: 1, value: state.job?.id === job.id ? state.job.progress : 0, "aria-label": "How much is painted" }) : null,
        job.state === "painting" && job.film ? h("div", { class: "newest" }, h("small", { id: "film-far" }, "Getting ready"), h("img", { id: "film-newest", alt: "The newest frame", hidden: true })) : null),
      h("div", { class: "row" },
        h("button", { type: "button", class: "small-button", "aria-label": `Earlier: ${job.title}`, disabled: at === 0, onclick: act(() => move(at, -1)) }, "↑"),
        h("button", { type: "button", class: "small-button", "aria-label": `Later: ${job.title}`, disabled: at === jobs.length - 1, onclick: act(() => move(at, 1)) }, "↓"),
        job.state === "failed" ? h("button", { type: "button", class: "small-button", onclick: act(() => post(`/api/jobs/${job.id}/again`, {})) }, "Try again") : null,
        job.state !== "failed" ? h("button", { type: "button", class: "small-button", onclick: act(() => post(`/api/jobs/${job.id}/pause`, { paused: job.state !== "paused" })) }, job.state === "paused" ? "Go on" : "Pause") : null,
        job.state === "painting" ? h("button", { type: "button", class: "small-button", onclick: act(() => post(`/api/jobs/${job.id}/stop`, { keep: true })) }, "Stop and keep") : null,
        h("button", { type: "button", class: "small-button", "aria-label": `Remove: ${job.title}`, onclick: act(() => remove(`/api/jobs/${job.id}`).then(() => say("It is out of the queue"))) }, "✕"))))) : h("p", { class: "empty" }, "Nothing waits. “Add to the queue” puts what is on the easel here."));
  progress();
}
