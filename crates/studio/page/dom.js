// @ts-check
// Elements, and sentences for people.

/** The element of an id. @param {string} id @returns {any} */
export const by = (id) => document.getElementById(id);

/**
 * An element. What begins with `on` listens; `class`, `data-…` and `aria-…` are attributes; all else is a property.
 * @param {string} tag @param {Record<string, any>} [props] @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "for" || name.includes("-") || name === "role") element.setAttribute(name, String(value));
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => /** @type {Node | string} */ (child)));
  return element;
}

/** Says something for a while, with something to do about it perhaps. @param {string} text @param {string} [action] @param {() => void} [then] */
export function say(text, action, then) {
  const toast = h("div", { class: "toast" }, h("span", {}, text),
    action ? h("button", { type: "button", onclick: () => { toast.remove(); then?.(); } }, action) : null);
  by("toasts").append(toast);
  setTimeout(() => toast.remove(), action ? 10000 : 5000);
}

/** What went wrong, in sentences. @param {any} error */
export const sentences = (error) => (error?.problems ?? [error?.message ?? String(error)]).join("\n");

/** Says what went wrong. @param {any} error */
export const complain = (error) => say(sentences(error));

/** Seconds in words. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Calls once things are quiet. @param {number} milliseconds @param {() => void} call */
export function quiet(milliseconds, call) {
  let waiting = 0;
  return () => { clearTimeout(waiting); waiting = setTimeout(call, milliseconds); };
}

/** Opens a dialog with something in it. @param {string} title @param {...any} children */
export function dialog(title, ...children) {
  const box = by("dialog");
  box.replaceChildren(h("div", { class: "stack" }, h("h2", { id: "dialog-title" }, title), ...children));
  box.setAttribute("aria-labelledby", "dialog-title");
  box.showModal();
  return () => box.close();
}

/** Asks for a line of text; null if there is none. @param {string} title @param {string} label @param {string} value @returns {Promise<string | null>} */
export function ask(title, label, value) {
  return new Promise((told) => {
    const input = h("input", { type: "text", id: "asked", value, maxLength: 40, autocomplete: "off" });
    const done = (/** @type {string | null} */ text) => { close(); told(text); };
    const close = dialog(title, h("label", { for: "asked" }, label), input,
      h("div", { class: "row" }, h("button", { type: "button", class: "main", id: "asked-go", onclick: () => done(input.value.trim()) }, "Keep"),
        h("button", { type: "button", onclick: () => done(null) }, "Cancel")));
    input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") { event.preventDefault(); done(input.value.trim()); } });
    input.focus();
  });
}

/** Saves a file as downloads are saved. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
