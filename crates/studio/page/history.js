// @ts-check
// The history: every picture that was painted, in its folder.

import { by, complain, dialog, h, quiet, say } from "./dom.js";
import { exporting } from "./paint.js";
import { use } from "./pictures.js";
import { get, post } from "./server.js";

const wanted = { text: "", starred: false, deleted: false };
let results = -1;
/** @type {{open: (id: number) => void, compare: (row: any) => void, paint: () => void}} */
let go = { open: () => {}, compare: () => {}, paint: () => {} };

/** @param {any} state */
export function tell(state) {
  if (state.results === results) return;
  results = state.results;
  if (!by("history").hidden) load(false);
}

/** @param {number} [before] */
const list = (before) => get(`/api/results?text=${encodeURIComponent(wanted.text)}&starred=${wanted.starred ? 1 : 0}&deleted=${wanted.deleted ? 1 : 0}${before ? `&before=${before}` : ""}`);

/** Shows it. @param {typeof go} ways */
export function show(ways) {
  go = ways;
  const place = by("history");
  const search = h("input", { type: "search", id: "search", placeholder: "search by name", "aria-label": "Search", value: wanted.text });
  search.addEventListener("input", quiet(200, () => { wanted.text = search.value; load(false); }));
  const starred = h("button", { type: "button", "aria-pressed": String(wanted.starred) }, "★ only");
  starred.addEventListener("click", () => { wanted.starred = !wanted.starred; starred.setAttribute("aria-pressed", String(wanted.starred)); load(false); });
  const deleted = h("button", { type: "button", id: "deleted", "aria-pressed": String(wanted.deleted) }, "Deleted");
  deleted.addEventListener("click", () => { wanted.deleted = !wanted.deleted; deleted.setAttribute("aria-pressed", String(wanted.deleted)); load(false); });
  place.replaceChildren(h("div", { class: "bar" }, h("h2", {}, "History"), search, starred, deleted, h("button", { type: "button", id: "sheet", onclick: sheet }, "Contact sheet …")), h("div", { class: "grid", id: "results" }), h("p", { class: "empty", id: "no-results", hidden: true }, "Nothing here yet."), h("button", { type: "button", id: "older", hidden: true, onclick: () => load(true) }, "Older pictures"));
  load(false);
}

/** What is listed, on one sheet. */
function sheet() {
  const source = `/api/sheet?text=${encodeURIComponent(wanted.text)}&starred=${wanted.starred ? 1 : 0}`;
  const image = h("img", { src: source, alt: "What is listed, with captions", class: "sheet" });
  image.addEventListener("error", () => { close(); say("There is nothing to put on a sheet"); });
  const close = dialog("Contact sheet", image, h("div", { class: "row" }, h("a", { class: "button", href: source, download: "sheet.png" }, "Save"),
    h("button", { type: "button", onclick: () => close() }, "Close")));
}

let oldest = 0;

/** @param {boolean} further */
async function load(further) {
  try {
    const { results: rows } = await list(further ? oldest : undefined);
    oldest = rows.at(-1)?.id ?? 0;
    const grid = by("results");
    if (!grid) return;
    if (further) grid.append(...rows.map(card));
    else grid.replaceChildren(...rows.map(card));
    by("no-results").hidden = grid.children.length > 0;
    by("no-results").textContent = wanted.deleted ? "Nothing was deleted in the last week." : wanted.text || wanted.starred ? "Nothing like that." : "Nothing here yet.";
    by("older").hidden = rows.length < 60;
  } catch (error) { complain(error); }
}

/** @param {any} row */
function card(row) {
  const star = h("button", { type: "button", class: "small-button", "aria-pressed": String(row.starred), "aria-label": `Star: ${row.title}` }, row.starred ? "★" : "☆");
  star.addEventListener("click", () => post(`/api/results/${row.id}/star`, { starred: !row.starred }).catch(complain));
  const day = row.finished ? new Date(1000 * row.finished).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "";
  if (wanted.deleted) {
    const back = () => post(`/api/results/${row.id}/delete`, { deleted: false }).catch(complain);
    return h("article", { class: "card" }, h("img", { src: `/api/results/${row.id}/small`, alt: "", loading: "lazy" }), h("div", { class: "text" }, h("div", {}, row.title)),
      h("div", { class: "row" }, h("button", { type: "button", class: "small-button", onclick: back }, "Bring it back")));
  }
  return h("article", { class: "card" },
    h("button", { type: "button", class: "open", "aria-label": `${row.film ? "▶ film" : "Show"}: ${row.title}`, onclick: () => go.open(row.id) }, h("img", { src: `/api/results/${row.id}/small`, alt: "", loading: "lazy" }), row.film ? h("span", { class: "badge" }, "▶ film") : null),
    h("div", { class: "text" }, h("div", {}, row.title), h("small", {}, [row.how, `${row.width} × ${row.height}`, day].filter(Boolean).join(" · "))),
    h("div", { class: "row" }, star,
      h("button", { type: "button", class: "small-button", onclick: () => settings(row) }, "Settings"),
      row.film ? null : h("button", { type: "button", class: "small-button", onclick: () => go.compare(row) }, "Compare"),
      h("button", { type: "button", class: "small-button", onclick: () => exporting(row) }, row.film ? "Save" : "Export …"),
      h("button", { type: "button", class: "small-button", "aria-label": `Delete: ${row.title}`, onclick: () => erase(row) }, "✕")));
}

/** @param {any} row */
async function erase(row) {
  const to = (/** @type {boolean} */ deleted) => post(`/api/results/${row.id}/delete`, { deleted }).catch(complain);
  await to(true);
  say("Deleted; it is kept for a week", "Undo", () => to(false));
}

/** Two buttons: to look at settings is not to lose one's own. @param {any} row */
async function settings(row) {
  try {
    const { order, made } = await get(`/api/results/${row.id}/settings`);
    const close = dialog("How it was painted", h("p", {}, row.title), h("pre", { tabIndex: 0 }, made?.text ?? "Its file says nothing."),
      h("div", { class: "row" }, h("button", { type: "button", class: "main", onclick: () => { close(); go.paint(); use({ ...made, order }); } }, "Use these settings"),
        h("button", { type: "button", onclick: () => close() }, "Leave it")));
  } catch (error) { complain(error); }
}
