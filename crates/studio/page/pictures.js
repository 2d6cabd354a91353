// @ts-check
// Pictures come in by dropping, pasting and choosing, anywhere on the page.

import { by, dialog, h, say, sentences } from "./dom.js";
import { moves, restore, takeClip } from "./film.js";
import { change, order, take } from "./order.js";
import { send, small } from "./server.js";
import { takeRecipe } from "./settings.js";

/** @type {any[]} */
let builtIn = [];

/** Takes files in: the first is the photo if there is none yet, the others are paintings. @param {File[]} files @param {"content" | "style"} [as] */
export async function takeIn(files, as) {
  for (const file of files) {
    try {
      if (file.name?.endsWith(".toml")) {
        await takeRecipe(await file.text(), file.name.slice(0, -5));
        continue;
      }
      if (as !== "style" && await moves(file) && await takeClip(file)) continue;
      const { picture, made } = await send(file, file.name || "pasted.png");
      if (made && !as) offer(picture, made);
      else place({ picture: picture.id, name: picture.name }, as);
    } catch (error) {
      say(sentences(error));
    }
    if (as === "content") as = "style";
  }
}

/** @param {{picture: string, name: string}} picture @param {"content" | "style"} [as] */
function place(picture, as) {
  if (as === "content" || (!as && !order.content)) change("pictures", { content: picture });
  else change("pictures", { styles: [...order.styles, { ...picture, weight: 1 }] });
}

/** A picture that was painted here or elsewhere by impasto: show how, use that, or take it as a picture. @param {any} picture @param {any} made */
export function offer(picture, made) {
  if (made.problem) {
    say(made.problem);
    place({ picture: picture.id, name: picture.name });
    return;
  }
  /** @param {() => void} then */
  const closing = (then) => () => { close(); then(); };
  const styles = made.styles.map((/** @type {any} */ [name, weight]) => `${name} (${weight})`).join(", ");
  const close = dialog("This picture knows how it was painted",
    h("p", {}, `By impasto ${made.version}, ${made.encoder}, in the style of ${styles || "nothing"}.`),
    h("details", {}, h("summary", {}, "Show its settings"), h("pre", { tabIndex: 0 }, made.text)),
    h("div", { class: "row" },
      h("button", { type: "button", class: "main", id: "use-settings", onclick: closing(() => use(made)) }, "Use these settings"),
      h("button", { type: "button", onclick: closing(() => place({ picture: picture.id, name: picture.name }, "content")) }, "Paint it again as a photo"),
      h("button", { type: "button", onclick: closing(() => place({ picture: picture.id, name: picture.name }, "style")) }, "Learn from it as a painting"),
      h("button", { type: "button", onclick: () => close() }, "Leave it")));
}

/** Takes settings over; pictures too where the studio has them. @param {any} made */
export function use(made) {
  if (made.order?.content) {
    take(made.order);
    if (made.order.film) restore(made.order.film);
  } else {
    change("knobs", { text: made.text, recipe: "", settings: {}, keep: 0, strokes: 0, size: Number(/long-side = (\d+)/.exec(made.text)?.[1] ?? 0) || order.size });
    say("The settings are there; its paintings are not in this studio: choose them");
  }
  by("more-settings").open = true;
}

/** Makes the whole window take pictures. @param {any[]} pictures */
export function start(pictures) {
  builtIn = pictures;
  const drop = by("drop");
  let depth = 0;
  const withFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragenter", (event) => {
    event.preventDefault();
    if (withFiles(event)) drop.hidden = ++depth === 0;
  });
  window.addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); drop.hidden = depth === 0; });
  // Without this, a dropped file would take the place of the page.
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    drop.hidden = true;
    const target = event.target instanceof Element ? event.target.closest("[data-slot]") : null;
    const as = /** @type {any} */ (target?.getAttribute("data-slot") ?? undefined);
    takeIn([...(event.dataTransfer?.files ?? [])], as);
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) { event.preventDefault(); takeIn(files); }
  });
  const pairs = [["@lake", "@swirls"], ["@city", "@glass"], ["@still-life", "@oils"]];
  by("tries").append(...pairs.map(([content, style]) =>
    h("button", { type: "button", onclick: () => tryOut(content, style) },
      h("span", { class: "two" }, ...[content, style].map((id) => h("img", { src: small(id), alt: "" }))),
      `${content.slice(1)} in ${style.slice(1)}`)));
}

/** @param {string} content @param {string} style */
function tryOut(content, style) {
  change("pictures", {
    content: { picture: content, name: content.slice(1) },
    styles: [{ picture: style, name: style.slice(1), weight: 1 }],
  });
}

/** @param {"content" | "style"} as */
function chooser(as) {
  const input = h("input", { type: "file", accept: as === "content" ? "image/*,video/*,.mov,.m4v,.y4m" : "image/*", multiple: as === "style", hidden: true, id: `file-${as}`,
    "aria-label": as === "content" ? "Photo or clip from a file" : "Paintings from files",
    onchange: () => { takeIn([...input.files], as); input.value = ""; } });
  return [input, h("button", { type: "button", class: "small-button", onclick: () => input.click() }, as === "content" ? "Choose a photo or a clip …" : "Add a painting …")];
}

/** @param {"content" | "style"} as */
function pick(as) {
  return h("div", { class: "built-in" }, ...builtIn.filter((one) => one.style === (as === "style")).map((one) =>
    h("button", { type: "button", title: `${one.name}: ${one.about}`, "aria-label": `${one.name}: ${one.about}`,
      onclick: () => place({ picture: one.id, name: one.name }, as) }, h("img", { src: small(one.id), alt: "", loading: "lazy" }))));
}

/** Shows what is chosen. */
export function show() {
  const content = by("content");
  content.setAttribute("data-slot", "content");
  content.replaceChildren(...(
    order.content ? [ h("div", { class: "slot" }, h("img", { src: small(order.content.picture), alt: "" }), h("span", { class: "name" }, order.content.name),
      h("button", { type: "button", "aria-label": "Take the photo out", onclick: () => change("pictures", { content: null, mask: null, regions: [] }) }, "✕"))] : []),
    h("div", { class: "choose" }, ...chooser("content")), pick("content"));
  const styles = by("styles");
  styles.setAttribute("data-slot", "style");
  styles.replaceChildren(...order.styles.map((style, at) => {
    const change_ = (/** @type {number} */ weight) => change("knobs", { styles: order.styles.map((one, other) => (other === at ? { ...one, weight } : one)) });
    return h("div", { class: "slot" }, h("img", { src: small(style.picture), alt: "" }), h("span", { class: "name" }, style.name),
      h("button", { type: "button", "aria-label": `Take ${style.name} out`, onclick: () => change("pictures", { styles: order.styles.filter((_, other) => other !== at) }) }, "✕"),
      order.styles.length > 1 ? h("label", {}, "Weight", h("input", { type: "range", min: 0.1, max: 2, step: 0.1, value: style.weight, onchange: (/** @type {any} */ event) => change_(Number(event.target.value)) })) : null);
  }), h("div", { class: "choose" }, ...chooser("style")), pick("style"));
}

