// @ts-check
// What is ordered: kept from visit to visit, and told to whoever wants to know when it changes.

/** @typedef {{picture: string, weight: number, name: string}} Style */
/** @typedef {{color: string, name: string, keep: boolean, style: Style | null, png: string}} Region */

const KEY = "impasto-order";

const empty = () => ({
  content: /** @type {null | {picture: string, name: string}} */ (null),
  styles: /** @type {Style[]} */ ([]),
  recipe: "", text: "", quality: "normal", size: 512, keep: 0, strokes: 0,
  settings: /** @type {Record<string, string>} */ ({}),
  mask: /** @type {string | null} */ (null),
  regions: /** @type {{mask: string, picture: string, weight: number}[]} */ ([]),
  /** A clip, of which the content is a frame. */
  film: /** @type {any} */ (null), consistency: 0.5,
});

/** The order on the page. */
export const order = Object.assign(empty(), read());

function read() {
  try { return JSON.parse(localStorage.getItem(KEY) ?? "{}"); } catch { return {}; }
}

/** @type {((what: string) => void)[]} */
const listeners = [];

/** Tells of changes: `pictures`, `knobs`, `work` (what cannot go on from the present picture), `taken` (nothing is painted for it). @param {(what: string) => void} listener */
export const onchange = (listener) => listeners.push(listener);

/** Changes the order. @param {string} what @param {Record<string, any>} values */
export function change(what, values) {
  if (what === "pictures" && "content" in values && !("film" in values)) values = { ...values, film: null };
  // Regions are places of a photo, or of all frames of a film.
  const same = values.film && values.film.clip === order.film?.clip;
  const another = !same && what === "pictures" && values.content && order.content && values.content.picture !== order.content.picture && !("regions" in values);
  if (another && (order.regions.length || order.mask)) values = { ...values, regions: [], mask: null };
  Object.assign(order, values);
  localStorage.setItem(KEY, JSON.stringify(order));
  for (const listener of listeners) listener(what);
}

/** Whether there is enough to paint. */
export const complete = () => order.content !== null && (order.styles.length > 0 || order.regions.length > 0);

/** The order as the program takes it. @param {Record<string, any>} [more] */
export function told(more = {}) {
  return {
    content: order.content?.picture ?? "",
    styles: order.styles.map(({ picture, weight }) => ({ picture, weight })),
    recipe: order.recipe, text: order.text, quality: order.quality, size: Number(order.size),
    keep: Number(order.keep), strokes: Number(order.strokes), settings: order.settings,
    mask: order.mask, regions: order.regions,
    ...more,
  };
}

/** Takes an order back that the program was given; what is `taken` is not painted at once. @param {any} given @param {Record<string, string>} [names] @param {string} [what] */
export function take(given, names = given.names ?? {}, what = "pictures") {
  const name = (/** @type {string} */ id) => names[id] ?? id.replace(/^@/, "");
  const base = empty();
  change(what, {
    ...base,
    content: given.content ? { picture: given.content, name: name(given.content) } : order.content,
    styles: (given.styles ?? []).map((/** @type {any} */ style) => ({ ...style, name: name(style.picture) })),
    recipe: given.recipe ?? "", text: given.text ?? "", quality: given.quality || "normal", size: given.size || 512,
    keep: given.keep ?? 0, strokes: given.strokes ?? 0, settings: given.settings ?? {},
    mask: given.mask ?? null, regions: given.regions ?? [],
  });
}
