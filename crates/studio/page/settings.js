// @ts-check
// Every setting, from the library's own table: folded away, and read anew whenever the order changes.

import { by, complain, h, quiet, say } from "./dom.js";
import { change, complete, onchange, order, told } from "./order.js";
import { post } from "./server.js";

/** @type {any[]} */
let table = [];
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

/** Makes the form. @param {any} start */
export function start({ settings, recipes }) {
  table = settings;
  by("recipe").append(...recipes.map((/** @type {any} */ one) => h("option", { value: one.name, title: one.about }, one.name)));
  const refresh = quiet(120, () => { by("recipe").value = order.recipe; if (by("more-settings").open) show(); });
  by("more-settings").addEventListener("toggle", refresh);
  by("recipe").addEventListener("change", () => change("work", { recipe: by("recipe").value, text: "", settings: {} }));
  by("reset").addEventListener("click", () => change("work", { settings: {}, text: "", recipe: "", keep: 0, strokes: 0 }));
  by("sheet").addEventListener("click", async () => {
    if (!complete()) { say("Choose a photo and a painting first"); return; }
    const qualities = ["instant", "draft", "normal", "fine"];
    await post("/api/queue", qualities.map((quality) => told({ quality, recipe: "", text: "" }))).then(() => say("Four jobs are in the queue"), complain);
  });
  onchange(refresh);
  refresh();
}
