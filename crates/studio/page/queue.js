// @ts-check
// The queue: what waits, in which order.

import { by, complain, h, say } from "./dom.js";
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
  by("queue").replaceChildren(
    state.problem ? h("p", { class: "problems", role: "alert" }, state.problem) : "",
    h("div", { class: "bar" }, h("h2", {}, "Queue"), jobs.length ? h("button", { type: "button", "aria-pressed": String(paused), onclick: act(() => post("/api/queue/pause", { paused: !paused })) }, paused ? "Let it go on" : "Pause all") : null,
      failed.length ? h("button", { type: "button", id: "remove-failed", onclick: act(() => Promise.all(failed.map((/** @type {any} */ job) => remove(`/api/jobs/${job.id}`))).then(() => say(`${failed.length} out of the queue`))) }, `Remove the ${failed.length} that failed`) : null),
    jobs.length ? h("ul", { class: "jobs" }, ...jobs.map((/** @type {any} */ job, /** @type {number} */ at) => h("li", {},
      h("img", { src: job.content ? small(job.content) : "", alt: "" }),
      h("div", {}, h("div", {}, job.title), h("small", { class: job.problem ? "wrong" : "" }, job.problem ?? [job.how, /** @type {any} */ (WORDS)[job.state] ?? job.state].filter(Boolean).join(" · ")),
        job.state === "painting" ? h("progress", { max: 1, value: state.job?.id === job.id ? state.job.progress : 0, "aria-label": "How much is painted" }) : null),
      h("div", { class: "row" },
        h("button", { type: "button", class: "small-button", "aria-label": `Earlier: ${job.title}`, disabled: at === 0, onclick: act(() => move(at, -1)) }, "↑"),
        h("button", { type: "button", class: "small-button", "aria-label": `Later: ${job.title}`, disabled: at === jobs.length - 1, onclick: act(() => move(at, 1)) }, "↓"),
        job.state === "failed" ? h("button", { type: "button", class: "small-button", onclick: act(() => post(`/api/jobs/${job.id}/again`, {})) }, "Try again") : null,
        job.state === "queued" || job.state === "paused" ? h("button", { type: "button", class: "small-button", onclick: act(() => post(`/api/jobs/${job.id}/pause`, { paused: job.state === "queued" })) }, job.state === "queued" ? "Pause" : "Go on") : null,
        h("button", { type: "button", class: "small-button", "aria-label": `Remove: ${job.title}`, onclick: act(() => remove(`/api/jobs/${job.id}`).then(() => say("It is out of the queue"))) }, "✕"))))) : h("p", { class: "empty" }, "Nothing waits. “Add to the queue” puts what is on the easel here."));
}
