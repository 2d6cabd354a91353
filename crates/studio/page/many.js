// @ts-check
// Many pictures at once: every photo in every painting, in every way that is chosen.

import { dialog, h, say, sentences } from "./dom.js";
import { order, told } from "./order.js";
import { post, send, small } from "./server.js";
import { ways } from "./settings.js";

/** @typedef {{name: string, picture?: string, file?: File}} One */

/** Orders of one request: it may have a megabyte. */
const AT_ONCE = 200;
/** What a queue takes. */
const MOST = 2000;

/** A row of pictures that more can be put into. @param {string} what @param {One[]} ones @param {() => void} changed */
function shelf(what, ones, changed) {
  const list = h("div", { class: "shelf" });
  const show = () => {
    list.replaceChildren(...ones.map((one, at) => h("button", { type: "button", class: "small-button", title: "Take it out", "aria-label": `Take ${one.name} out`,
      onclick: () => { ones.splice(at, 1); show(); } }, one.picture ? h("img", { src: small(one.picture), alt: "" }) : null, ` ${one.name} ✕`)));
    changed();
  };
  const input = (/** @type {Record<string, any>} */ more, /** @type {string} */ id) => {
    const field = h("input", { type: "file", multiple: true, hidden: true, id, accept: "image/*", "aria-label": `${what} from files`, ...more });
    field.addEventListener("change", () => {
      const files = [...field.files].filter((/** @type {File} */ file) => file.type.startsWith("image/") || !file.type);
      ones.push(...files.map((/** @type {File} */ file) => ({ name: file.name, file })));
      field.value = "";
      show();
    });
    return field;
  };
  const [files, folder] = [input({}, `many-${what}`), input({ webkitdirectory: true }, `many-${what}-folder`)];
  show();
  return h("fieldset", {}, h("legend", {}, what), list, files, folder, h("div", { class: "row" },
    h("button", { type: "button", class: "small-button", onclick: () => files.click() }, "Add files …"),
    h("button", { type: "button", class: "small-button", onclick: () => folder.click() }, "Add a folder …")));
}

/** Sends what is not there yet. @param {One[]} ones @param {(text: string) => void} tell */
async function sendAll(ones, tell) {
  const there = [];
  for (const [at, one] of ones.entries()) {
    if (one.file && !one.picture) {
      tell(`Taking ${one.name} in, ${at + 1} of ${ones.length}`);
      try { one.picture = (await send(one.file, one.name)).picture.id; } catch (error) { say(`${one.name}: ${sentences(error)}`); continue; }
    }
    if (one.picture) there.push(one.picture);
  }
  return there;
}

/** Asks what is to be painted, and puts it into the queue. */
export function open() {
  /** @type {One[]} */
  const photos = order.content ? [{ ...order.content }] : [];
  /** @type {One[]} */
  const paintings = order.styles.map(({ picture, name }) => ({ picture, name }));
  const boxes = ways().map((way, at) => ({ way, box: h("input", { type: "checkbox", id: `way-${at}`, disabled: Boolean(way.missing), checked: way.name === order.quality && !order.recipe && !order.text }) }));
  const plan = h("p", { class: "told", role: "status", id: "many-told" });
  const go = h("button", { type: "button", class: "main", id: "many-go" }, "Add to the queue");
  const chosen = () => boxes.filter(({ box }) => box.checked).map(({ way }) => way);
  const count = () => {
    const number = photos.length * paintings.length * chosen().length;
    const of = (/** @type {number} */ many, /** @type {string} */ what) => `${many} ${what}${many === 1 ? "" : "s"}`;
    plan.textContent = number > MOST ? `${number} pictures are more than the ${MOST} that may wait`
      : `${of(photos.length, "photo")} × ${of(paintings.length, "painting")} × ${of(chosen().length, "way")}: ${of(number, "picture")}`;
    go.disabled = number === 0 || number > MOST;
  };
  for (const { box } of boxes) box.addEventListener("change", count);
  go.addEventListener("click", async () => {
    go.disabled = true;
    const tell = (/** @type {string} */ text) => { plan.textContent = text; };
    const [contents, styles] = [await sendAll(photos, tell), await sendAll(paintings, tell)];
    const orders = contents.flatMap((content) => styles.flatMap((picture) => chosen().map(({ changes }) =>
      told({ content, styles: [{ picture, weight: 1 }], mask: null, regions: [], ...changes }))));
    try {
      for (let at = 0; at < orders.length; at += AT_ONCE) await post("/api/queue", orders.slice(at, at + AT_ONCE));
      close();
      say(`${orders.length} pictures are in the queue`);
    } catch (error) { plan.textContent = sentences(error); go.disabled = false; }
  });
  const close = dialog("Paint many", h("p", {}, "Every photo is painted in every painting, in every way; knobs and settings are those of the page, regions are left out."),
    shelf("Photos", photos, count), shelf("Paintings", paintings, count),
    h("fieldset", {}, h("legend", {}, "Ways"), h("div", { class: "ways" }, ...boxes.map(({ way, box }) => h("label", { title: way.missing ?? way.about, class: way.missing ? "missing" : "" }, box, ` ${way.name}`)))),
    plan, h("div", { class: "row" }, go, h("button", { type: "button", onclick: () => close() }, "Cancel")));
  count();
}
