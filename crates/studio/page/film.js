// @ts-check
// A clip: one frame of it is the photo, painted like any; the whole of it goes into the queue.

import { by, complain, duration, h, say, sentences } from "./dom.js";
import { change, complete, order, told } from "./order.js";
import { onEasel } from "./paint.js";
import { get, post } from "./server.js";

/** Whether the program paints films. */
let can = false;

const letters = (/** @type {Uint8Array} */ bytes, /** @type {number} */ from, /** @type {number} */ to) => String.fromCharCode(...bytes.subarray(from, to));

/** Whether a file moves, as far as its beginning says; a GIF may. @param {Blob} file */
export async function moves(file) {
  if (file.type.startsWith("video/")) return true;
  const bytes = new Uint8Array(await file.slice(0, 65536).arrayBuffer());
  const start = letters(bytes, 0, 12);
  if (start.startsWith("GIF8") || start.startsWith("YUV4MPEG2")) return true;
  const rest = letters(bytes, 0, 4096);
  if (start.startsWith("RIFF") && start.endsWith("WEBP")) return rest.includes("ANIM");
  if (start.startsWith("\x89PNG")) return rest.includes("acTL");
  return start.slice(4, 8) === "ftyp" && !/avif|avis|heic|heix|mif1|msf1/.test(letters(bytes, 8, 32));
}

/** Sends a clip, and shows how far that is. @param {Blob} file @param {string} name @returns {Promise<any>} */
function send(file, name) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": `How much of ${name} has arrived` });
  const request = new XMLHttpRequest();
  const toast = h("div", { class: "toast" }, h("span", {}, `Taking ${name} in`), bar, h("button", { type: "button", onclick: () => request.abort() }, "Leave it"));
  by("toasts").append(toast);
  return new Promise((then, failed) => {
    request.open("POST", `/api/clips?name=${encodeURIComponent(name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => { bar.value = loaded / total; };
    request.onloadend = () => {
      toast.remove();
      let answer;
      try { answer = JSON.parse(request.responseText); } catch { answer = { problems: [request.responseText.trim() || `${name} was not taken in`] }; }
      if (request.status === 200) then(answer);
      else failed(answer);
    };
    request.send(file);
  });
}

/** Takes a clip in; false if it does not move. @param {File} file */
export async function takeClip(file) {
  const { clip, still } = await send(file, file.name || "clip");
  if (still) return false;
  await choose({ ...clip, clip: clip.id }, 0);
  return true;
}

/** Takes the clip of an order, if it is still there. @param {{clip: string, consistency: number}} film */
export async function restore(film) {
  try {
    const { clip } = await get(`/api/clips/${film.clip}`);
    change("taken", { film: { ...clip, clip: clip.id, frame: 0 }, consistency: film.consistency });
  } catch { say("Its clip is not in the studio any more: drop it on the page to paint it again"); }
}

/** The frame that is wanted, and whether one is under way: the newest counts. */
let wanted = -1;
let busy = false;

/** Makes a frame the photo. @param {any} film @param {number} frame */
async function choose(film, frame) {
  const { picture } = await post(`/api/clips/${film.clip}/frames/${frame}`, {});
  change("pictures", { film: { ...film, frame }, content: { picture: picture.id, name: picture.name } });
}

async function look() {
  if (busy || !order.film) return;
  busy = true;
  const frame = wanted;
  const image = new Image();
  image.src = `/api/clips/${order.film.clip}/frames/${frame}`;
  try { await image.decode(); onEasel(image.src, true); } catch { /* The next one may be there. */ }
  busy = false;
  if (frame !== wanted) look();
}

/** @param {number} frame */
function place(frame) {
  const film = /** @type {any} */ (order.film);
  by("film-frame-out").textContent = `${frame + 1} of ${film.frames}, ${((frame * film.seconds) / film.frames).toFixed(1)} s`;
}

/** Shows it in the form. */
export function show() {
  const { film } = order;
  by("film").hidden = !film;
  if (!film) return;
  by("film-name").textContent = film.name;
  by("film-told").textContent = [`${film.frames} frames`, duration(film.seconds), `${film.width} × ${film.height}`, film.sound ? "with sound, which is kept" : "", can ? "" : "this program paints no films"].filter(Boolean).join(" · ");
  by("film-frame").max = film.frames - 1;
  by("film-frame").value = film.frame;
  place(film.frame);
  by("consistency").value = Math.round(100 * order.consistency);
  by("consistency-out").textContent = `${Math.round(100 * order.consistency)} %`;
  by("paint-film").disabled = !can || !complete();
}

async function paint() {
  try {
    await post("/api/queue", [told({ film: { clip: /** @type {any} */ (order.film).clip, consistency: order.consistency } })]);
    say("The film is in the queue", "Show it", () => /** @type {HTMLElement} */ (document.querySelector("nav [data-view=queue]")).click());
  } catch (error) { say(sentences(error)); }
}

/** How far a film is, in words. @param {{frame: number, frames: number, pace: number}} film @param {number | null} left */
export const far = (film, left) => [`frame ${film.frame} of ${film.frames}`, film.pace ? `${film.pace.toFixed(film.pace < 10 ? 1 : 0)} frames a second` : "", left ? `${duration(left)} left` : ""].filter(Boolean).join(" · ");

/** Makes it work. @param {boolean} films */
export function start(films) {
  can = films;
  by("film-frame").addEventListener("input", () => { wanted = Number(by("film-frame").value); place(wanted); look(); });
  by("film-frame").addEventListener("change", () => choose(order.film, Number(by("film-frame").value)).catch(complain));
  by("consistency").addEventListener("input", () => change("taken", { consistency: Number(by("consistency").value) / 100 }));
  by("film-out").addEventListener("click", () => change("pictures", { film: null, content: null, mask: null, regions: [] }));
  by("paint-film").addEventListener("click", paint);
}
