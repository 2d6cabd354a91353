// @ts-check
// Every setting, from the library's own table: folded away, and read anew whenever the order changes. Recipes, one's own too.

import { ask, by, complain, h, quiet, save, say } from "./dom.js";
import { change, onchange, order, told } from "./order.js";
import { get, post, remove } from "./server.js";

/** @type {any[]} */
let table = [];
/** Recipes of one's own. @type {{name: string, text: string}[]} */
let own = [];
/** What options of those are called: no recipe of the program begins like this. */
const OWN = "own:";
const GROUPS = { Picture: "Picture", Style: "Style", Colors: "Colours", Content: "Photo", Encoder: "The network that looks", Optimisation: "How it is found", Network: "The network that paints" };

/** @param {any} setting @param {string} value */
function control(setting, value) {
  const set = (/** @type {string} */ text) => {
    const settings = { ...order.settings };
    if (text === "") delete settings[setting.path];
    else settings[setting.path] = text;
    change("work", { settings });
  };
  const { kind } = setting;
  const id = `set-${setting.path}`;
  const props = { id, onchange: (/** @type {any} */ event) => set(event.target.value) };
  if (kind.is === "flag" || kind.is === "choice") {
    const names = kind.is === "flag" ? ["true", "false"] : kind.names;
    return h("select", { ...props, value }, ...names.map((/** @type {string} */ name) => h("option", { value: name, selected: name === value }, name)));
  }
  if (kind.is === "number") return h("input", { ...props, type: "number", step: kind.whole ? 1 : "any", min: kind.least ?? "", max: kind.most ?? "", value });
  return h("input", { ...props, type: "text", value, placeholder: "of the recipe" });
}

async function show() {
  try {
    const { values, text } = await post("/api/recipe", told());
    by("toml").textContent = text;
    const groups = Map.groupBy(table.filter((setting) => setting.path in values && setting.everyday && setting.path !== "size"), (setting) => setting.group);
    by("settings").replaceChildren(...[...groups].flatMap(([group, settings]) => [
      h("h3", {}, /** @type {any} */ (GROUPS)[group] ?? group),
      ...settings.map((/** @type {any} */ setting) => h("div", { class: "setting" },
        h("label", { for: `set-${setting.path}`, class: setting.path in order.settings ? "changed" : "" }, setting.path),
        control(setting, values[setting.path]), h("small", {}, setting.about))),
    ]));
    const problem = by("settings").querySelector(".problems");
    problem?.remove();
  } catch (/** @type {any} */ error) {
    by("settings").prepend(h("p", { class: "problems", role: "alert" }, error.problems.join("\n")));
  }
}

/** Recipes of the program. @type {{name: string, about: string, missing: string | null}[]} */
let builtIn = [];

/** Ways to paint: qualities, recipes of the program, one's own; what each changes about an order. @returns {{name: string, about: string, missing?: string | null, changes: Record<string, any>}[]} */
export const ways = () => [
  ...["instant", "draft", "normal", "fine", "best"].map((quality) => ({ name: quality, about: "a quality", changes: { quality, recipe: "", text: "" } })),
  ...own.map(({ name, text }) => ({ name, about: "my own", changes: { text, recipe: "" } })),
  ...builtIn.map(({ name, about, missing }) => ({ name, about, missing, changes: { recipe: name, text: "" } })),
];

async function readOwn() {
  try { own = (await get("/api/recipes")).recipes; } catch (error) { complain(error); }
  by("own-recipes").replaceChildren(...own.map(({ name }) => h("option", { value: OWN + name }, name)));
  showRecipe();
}

function showRecipe() {
  const mine = own.find(({ text }) => text === order.text);
  by("recipe").value = mine ? OWN + mine.name : order.recipe;
  by("forget-recipe").hidden = !mine;
}

/** @param {string} chosen @param {string} [what] */
function choose(chosen, what = "work") {
  const mine = own.find(({ name }) => OWN + name === chosen);
  change(what, { recipe: mine ? "" : chosen, text: mine?.text ?? "", settings: {}, ...(mine ? { keep: 0, strokes: 0 } : {}) });
}

async function keep() {
  const mine = own.find(({ text }) => text === order.text);
  const asked = await ask("Keep as my own", "Name: letters, digits, spaces, dashes", mine?.name ?? "");
  const name = asked?.replace(/[^\p{L}\p{N} _-]+/gu, "-").trim();
  if (!name) return;
  try {
    await post("/api/recipes", { name, order: told() });
    await readOwn();
    choose(OWN + name, "taken");
    say(`${name} is among your recipes, and a file in the studio's folder`);
  } catch (error) { complain(error); }
}

/** A recipe from a file is kept, and chosen. @param {string} text @param {string} file */
export async function takeRecipe(text, file) {
  const name = file.replace(/[^\p{L}\p{N} _-]+/gu, "-").trim().slice(0, 40) || "recipe";
  await post("/api/recipes", { name, order: { text } });
  await readOwn();
  choose(OWN + name);
  by("more-settings").open = true;
  say(`${name} is among your recipes now, and chosen`);
}

async function forget() {
  const mine = own.find(({ text }) => text === order.text);
  if (!mine) return;
  try {
    await remove(`/api/recipes/${encodeURIComponent(mine.name)}`);
    await readOwn();
    say(`${mine.name} is forgotten`, "Undo", () => post("/api/recipes", { name: mine.name, order: { text: mine.text } }).then(readOwn, complain));
  } catch (error) { complain(error); }
}

/** Makes the form. @param {any} start */
export function start({ settings, recipes }) {
  table = settings;
  builtIn = recipes;
  by("built-in-recipes").append(...recipes.map((/** @type {any} */ one) => h("option", { value: one.name, title: one.missing ?? one.about, disabled: Boolean(one.missing) }, one.missing ? `${one.name} (not installed)` : one.name)));
  const refresh = quiet(120, () => { showRecipe(); if (by("more-settings").open) show(); });
  by("more-settings").addEventListener("toggle", refresh);
  by("recipe").addEventListener("change", () => choose(by("recipe").value));
  by("keep-recipe").addEventListener("click", keep);
  by("forget-recipe").addEventListener("click", forget);
  by("save-recipe").addEventListener("click", () => save(new Blob([by("toml").textContent], { type: "text/plain" }), "recipe.toml"));
  by("reset").addEventListener("click", () => change("work", { settings: {}, text: "", recipe: "", keep: 0, strokes: 0 }));
  onchange(refresh);
  readOwn();
}
