// @ts-check
// Two pictures against each other: behind a slider, side by side, or in turn; zoomed in step.

import { by, complain, h } from "./dom.js";
import { order } from "./order.js";
import { current } from "./paint.js";
import { get } from "./server.js";
import { view } from "./view.js";

/** @typedef {{name: string, source: string}} One */
/** @type {One[]} */
let choices = [];
const chosen = { a: "", b: "", how: "slider", flipped: false, divide: 0.5 };

/** Compares a result with the photo, or with the one before. @param {{id: number, title: string, content?: string}} [row] */
export async function open(row) {
  const photo = order.content ? [{ name: `the photo: ${order.content.name}`, source: `/api/pictures/${encodeURIComponent(order.content.picture)}` }] : [];
  const paintings = order.styles.map((style) => ({ name: `a painting: ${style.name}`, source: `/api/pictures/${encodeURIComponent(style.picture)}` }));
  try {
    const { results } = await get("/api/results");
    choices = [...photo, ...results.filter((/** @type {any} */ one) => !one.film).map((/** @type {any} */ one) => ({ name: `${one.id}: ${one.title}${one.how ? `, ${one.how}` : ""}`, source: `/api/results/${one.id}/picture` })), ...paintings];
  } catch (error) { complain(error); }
  const wanted = row ?? current();
  if (wanted) {
    const source = `/api/results/${wanted.id}/picture`;
    if (source !== chosen.b) {
      const own = wanted.content ? `/api/pictures/${encodeURIComponent(wanted.content)}` : "";
      if (own && !choices.some((one) => one.source === own)) choices.unshift({ name: "its photo", source: own });
      [chosen.a, chosen.b] = [own || (choices[0]?.source ?? source), source];
    }
  }
  const has = (/** @type {string} */ source) => choices.some((one) => one.source === source);
  if (!has(chosen.a)) chosen.a = choices[0]?.source ?? "";
  if (!has(chosen.b)) chosen.b = choices[1]?.source ?? chosen.a;
  show();
}

/** @param {"a" | "b"} which @param {string} text */
function choose(which, text) {
  return h("label", {}, `${text} `, h("select", { id: `compare-${which}`, onchange: (/** @type {any} */ event) => { chosen[which] = event.target.value; show(); } },
    ...choices.map((one) => h("option", { value: one.source, selected: one.source === chosen[which] }, one.name))));
}

async function show() {
  const place = by("compare");
  if (!choices.length) {
    place.replaceChildren(h("p", { class: "empty" }, "Paint something first: then it can be compared with the photo, and with other pictures."));
    return;
  }
  const ways = [["slider", "Slider"], ["sides", "Side by side"], ["flip", "In turn (F)"]];
  const stage = h("div", { class: "stage", id: "stage", tabIndex: 0, role: "group", "aria-label": "Two pictures; wheel zooms, dragging moves" });
  place.replaceChildren(h("div", { class: "bar" }, choose("a", "Left"), choose("b", "Right"),
    h("div", { class: "row", role: "group", "aria-label": "How" }, ...ways.map(([how, text]) => h("button", { type: "button", "data-how": how, "aria-pressed": String(chosen.how === how), onclick: () => { chosen.how = how; show(); } }, text))),
    h("button", { type: "button", onclick: () => eye?.fit() }, "Whole picture")), stage);
  const images = [chosen.a, chosen.b].map((source) => { const image = new Image(); image.alt = choices.find((one) => one.source === source)?.name ?? ""; image.src = source; return image; });
  await Promise.all(images.map((image) => image.decode().catch(() => null)));
  const width = Math.max(...images.map((image) => image.naturalWidth)) || 1;
  const height = Math.max(...images.map((image) => (width * image.naturalHeight) / (image.naturalWidth || 1))) || 1;
  for (const image of images) { image.style.width = `${width}px`; image.style.height = `${height}px`; }
  const halves = images.map((image) => h("div", { class: "half" }, image));
  const tags = images.map((image, at) => h("span", { class: `tag ${"ab"[at]}` }, image.alt));
  const divider = h("button", { type: "button", class: "divider", id: "divider", role: "slider", "aria-label": "Where the pictures meet", "aria-valuemin": 0, "aria-valuemax": 100 });
  stage.append(...halves, ...tags, divider);
  const arrange = () => {
    const { how, flipped, divide } = chosen;
    divider.hidden = how !== "slider";
    divider.style.left = `${100 * divide}%`;
    divider.setAttribute("aria-valuenow", String(Math.round(100 * divide)));
    halves[0].style.clipPath = how === "slider" ? `inset(0 ${100 - 100 * divide}% 0 0)` : "";
    halves[1].style.clipPath = how === "slider" ? `inset(0 0 0 ${100 * divide}%)` : "";
    halves[0].style.right = how === "sides" ? "50%" : "0";
    halves[1].style.left = how === "sides" ? "50%" : "0";
    halves[0].hidden = how === "flip" && flipped;
    halves[1].hidden = how === "flip" && !flipped;
    tags[0].hidden = halves[0].hidden;
    tags[1].hidden = halves[1].hidden;
  };
  const flip = () => { chosen.flipped = !chosen.flipped; arrange(); };
  const slide = (/** @type {number} */ to) => { chosen.divide = Math.min(1, Math.max(0, to)); arrange(); };
  divider.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = stage.getBoundingClientRect();
    slide((event.clientX - box.left) / box.width);
  });
  divider.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (by) { event.preventDefault(); slide(chosen.divide + by); }
  });
  stage.onclick = () => { if (chosen.how === "flip" && !moved) flip(); };
  let moved = false;
  stage.addEventListener("pointerdown", () => { moved = false; });
  stage.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => { if (event.buttons) moved = true; });
  flipping = flip;
  arrange();
  eye = view(stage, images, { width, height });
  // Side by side, each half shows the same place: the view is that of half a stage.
  if (chosen.how === "sides") eye.zoom(0.5, 0, stage.clientHeight / 2);
}

/** @type {ReturnType<typeof view> | null} */
let eye = null;
/** @type {() => void} */
let flipping = () => {};

/** Makes the keys work. */
export function start() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === "f" && !typing && !by("compare").hidden) {
      if (chosen.how !== "flip") { chosen.how = "flip"; show(); } else flipping();
    }
  });
}
