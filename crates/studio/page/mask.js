// @ts-check
// Regions, painted with a brush: one colour each, with a style of its own or the photo kept. A mask is as opaque as it is painted.

import { by, complain, h, say } from "./dom.js";
import { change, order } from "./order.js";
import { send } from "./server.js";
import { view } from "./view.js";

const COLORS = ["#d9563f", "#3f8fd9", "#e0b02f", "#4fae6a", "#a45fd0", "#e27fb0"];
/** Masks need not be finer than this. */
const LONGEST = 1024;
const UNDOS = 16;

/** @typedef {{color: string, keep: boolean, picture: string, layer: HTMLCanvasElement}} Region */

/** @type {{photo: string, width: number, height: number, regions: Region[]} | null} */
let board = null;
let current = 0;
/** @type {ImageData[][]} */
let past = [];
const brush = { size: 60, hardness: 70, opacity: 100, tool: /** @type {"brush" | "eraser" | "fill"} */ ("brush") };

/** @param {number} width @param {number} height */
function canvas(width, height) {
  return /** @type {HTMLCanvasElement} */ (h("canvas", { width, height }));
}

/** @param {HTMLCanvasElement} layer @returns {CanvasRenderingContext2D} */
const pen = (layer) => /** @type {any} */ (layer.getContext("2d", { willReadFrequently: true }));

function add() {
  if (!board || board.regions.length >= COLORS.length) return;
  board.regions.push({ color: COLORS[board.regions.length], keep: order.styles.length < 2, picture: order.styles.length < 2 ? "" : order.styles[board.regions.length % order.styles.length].picture, layer: canvas(board.width, board.height) });
  current = board.regions.length - 1;
  past = [];
}

/** Opens the board over the photo. */
export async function open() {
  if (!order.content) { say("Choose a photo first"); return; }
  const photo = new Image();
  photo.src = `/api/pictures/${encodeURIComponent(order.content.picture)}`;
  try { await photo.decode(); } catch { complain("the photo cannot be shown"); return; }
  if (board?.photo !== order.content.picture) {
    const scale = Math.min(1, LONGEST / Math.max(photo.naturalWidth, photo.naturalHeight));
    board = { photo: order.content.picture, width: Math.max(1, Math.round(photo.naturalWidth * scale)), height: Math.max(1, Math.round(photo.naturalHeight * scale)), regions: [] };
    add();
  }
  before = copy(board);
  show(photo);
}

/** The board as it was when it was opened. @type {typeof board} */
let before = null;

/** @param {typeof board} from @returns {typeof board} */
function copy(from) {
  return from && { ...from, regions: from.regions.map((region) => {
    const layer = canvas(from.width, from.height);
    pen(layer).drawImage(region.layer, 0, 0);
    return { ...region, layer };
  }) };
}

/** @param {HTMLImageElement} photo */
function show(photo) {
  const place = /** @type {NonNullable<typeof board>} */ (board);
  const box = by("mask");
  const seen = canvas(place.width, place.height);
  seen.id = "board";
  const stroke = canvas(place.width, place.height);
  const mixed = canvas(place.width, place.height);
  const stage = h("div", { class: "stage", id: "mask-stage" }, seen);
  const draw = () => {
    const ink = pen(seen);
    ink.globalAlpha = 1;
    ink.drawImage(photo, 0, 0, seen.width, seen.height);
    place.regions.forEach((region, at) => {
      const own = pen(mixed);
      own.globalCompositeOperation = "copy";
      own.globalAlpha = 1;
      own.drawImage(region.layer, 0, 0);
      own.globalCompositeOperation = at === current && brush.tool !== "eraser" ? "source-over" : "destination-out";
      own.globalAlpha = brush.opacity / 100;
      if (at === current || brush.tool !== "eraser") own.drawImage(stroke, 0, 0);
      own.globalAlpha = 1;
      own.globalCompositeOperation = "source-in";
      own.fillStyle = region.color;
      own.fillRect(0, 0, mixed.width, mixed.height);
      ink.globalAlpha = 0.62;
      ink.drawImage(mixed, 0, 0);
    });
  };
  const remember = () => {
    past.push(place.regions.map(({ layer }) => pen(layer).getImageData(0, 0, layer.width, layer.height)));
    if (past.length > UNDOS) past.shift();
  };
  const undo = () => {
    past.pop()?.forEach((image, at) => pen(place.regions[at].layer).putImageData(image, 0, 0));
    draw();
  };
  /** What was painted goes to the region, and is taken from the others. */
  const commit = () => {
    remember();
    place.regions.forEach(({ layer }, at) => {
      const ink = pen(layer);
      ink.globalAlpha = brush.opacity / 100;
      ink.globalCompositeOperation = at === current && brush.tool !== "eraser" ? "source-over" : "destination-out";
      if (at === current || brush.tool !== "eraser") ink.drawImage(stroke, 0, 0);
    });
    pen(stroke).clearRect(0, 0, stroke.width, stroke.height);
    draw();
  };
  /** Fills from a place up to what is painted of the region. @param {{x: number, y: number}} at */
  const fill = (at) => {
    const { width, height } = stroke;
    const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const painted = pen(place.regions[current].layer).getImageData(0, 0, width, height).data;
    const image = pen(stroke).createImageData(width, height);
    const open = [y * width + x];
    while (open.length) {
      const spot = /** @type {number} */ (open.pop());
      if (image.data[4 * spot + 3] || painted[4 * spot + 3] > 127) continue;
      image.data.fill(255, 4 * spot, 4 * spot + 4);
      const across = spot % width;
      if (across > 0) open.push(spot - 1);
      if (across < width - 1) open.push(spot + 1);
      if (spot >= width) open.push(spot - width);
      if (spot < width * (height - 1)) open.push(spot + width);
    }
    pen(stroke).putImageData(image, 0, 0);
    commit();
  };
  /** Where the fill begins. */
  let pressed = { x: -1, y: -1 };
  view(stage, [seen], {
    width: place.width, height: place.height,
    /** @param {{x: number, y: number}} at @param {{x: number, y: number} | null} before @param {number} pressure */
    stroke(at, before, pressure) {
      if (brush.tool === "fill") { pressed = at; return; }
      const radius = Math.max(1, (brush.size * place.width / 1024) * pressure / 2);
      const ink = pen(stroke);
      const from = before ?? at;
      const steps = Math.max(1, Math.ceil(Math.hypot(at.x - from.x, at.y - from.y) / Math.max(1, radius / 3)));
      for (let step = before ? 1 : 0; step <= (before ? steps : 0); step++) {
        const x = from.x + ((at.x - from.x) * step) / steps, y = from.y + ((at.y - from.y) * step) / steps;
        const soft = ink.createRadialGradient(x, y, (radius * brush.hardness) / 101, x, y, radius);
        soft.addColorStop(0, "#fff");
        soft.addColorStop(1, "#fff0");
        ink.fillStyle = soft;
        ink.beginPath();
        ink.arc(x, y, radius, 0, 2 * Math.PI);
        ink.fill();
      }
      draw();
    },
    end() { if (brush.tool === "fill") fill(pressed); else commit(); },
    cancel() { pen(stroke).clearRect(0, 0, stroke.width, stroke.height); draw(); },
  });
  const side = h("div", { class: "side" });
  const refresh = () => { side.replaceChildren(...panel({ undo, draw, refresh, close: () => box.close(), cancel: () => { board = before; past = []; box.close(); } })); draw(); };
  box.replaceChildren(stage, side);
  box.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.target instanceof HTMLInputElement && event.target.type !== "range") return;
    const grow = { "[": 1 / 1.2, "]": 1.2 }[event.key];
    if (grow) brush.size = Math.min(600, Math.max(2, brush.size * grow));
    else if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
    else if (event.key === "b") brush.tool = "brush";
    else if (event.key === "e") brush.tool = "eraser";
    else return;
    event.preventDefault();
    refresh();
  };
  // Esc is to cancel.
  box.oncancel = () => { board = before; past = []; };
  brush.tool = "brush";
  box.showModal();
  refresh();
}

/** @param {{undo: () => void, draw: () => void, refresh: () => void, close: () => void, cancel: () => void}} act */
function panel({ undo, draw, refresh, close, cancel }) {
  const place = /** @type {NonNullable<typeof board>} */ (board);
  const slide = (/** @type {"size" | "hardness" | "opacity"} */ name, /** @type {string} */ text, /** @type {number} */ most) =>
    h("label", {}, text, h("input", { type: "range", min: name === "size" ? 2 : 0, max: most, value: brush[name], oninput: (/** @type {any} */ event) => { brush[name] = Number(event.target.value); draw(); } }));
  const tools = /** @type {const} */ ([["brush", "Brush (B)"], ["eraser", "Eraser (E)"], ["fill", "Fill"]]);
  return [
    h("h2", {}, "Regions"),
    h("p", { class: "told" }, "Paint where something else is to happen: the photo stays, or another painting is used (add it under Paintings first). The rest is painted as before."),
    h("div", { class: "regions" }, ...place.regions.map((region, at) => {
      const dot = h("button", { type: "button", "aria-pressed": String(at === current), "aria-label": `Region ${at + 1}`, onclick: () => { current = at; refresh(); } });
      dot.style.background = region.color;
      return h("div", { class: "region" }, dot,
        h("select", { "aria-label": `What region ${at + 1} becomes`, onchange: (/** @type {any} */ event) => { region.keep = event.target.value === ""; region.picture = event.target.value; } },
          h("option", { value: "", selected: region.keep }, "keep the photo"),
          ...order.styles.map((style) => h("option", { value: style.picture, selected: !region.keep && style.picture === region.picture }, style.name))));
    })),
    h("button", { type: "button", disabled: place.regions.length >= COLORS.length, onclick: () => { add(); refresh(); } }, "Another region"),
    h("div", { class: "row", role: "group", "aria-label": "Tool" }, ...tools.map(([tool, text]) =>
      h("button", { type: "button", "aria-pressed": String(brush.tool === tool), onclick: () => { brush.tool = tool; refresh(); } }, text))),
    slide("size", "Size", 600), slide("hardness", "Hardness", 100), slide("opacity", "Opacity", 100),
    h("p", { class: "told" }, h("kbd", {}, "["), " ", h("kbd", {}, "]"), " size · wheel zooms · ", h("kbd", {}, "Space"), " and drag, or two fingers, move · ", h("kbd", {}, "Ctrl+Z"), " undo"),
    h("div", { class: "row" }, h("button", { type: "button", id: "mask-undo", onclick: undo }, "Undo"),
      h("button", { type: "button", onclick: () => { board = null; change("pictures", { mask: null, regions: [] }); close(); } }, "Without regions"),
      h("button", { type: "button", id: "mask-cancel", onclick: cancel }, "Cancel"),
      h("button", { type: "button", class: "main", id: "mask-done", onclick: () => done(close) }, "Use them")),
  ];
}

/** @param {HTMLCanvasElement[]} layers @param {string} ground @param {string} ink */
async function flat(layers, ground, ink) {
  const { width, height } = layers[0];
  const [mask, tint] = [canvas(width, height), canvas(width, height)];
  const out = pen(mask);
  out.fillStyle = ground;
  out.fillRect(0, 0, width, height);
  for (const layer of layers) {
    const own = pen(tint);
    own.globalCompositeOperation = "copy";
    own.drawImage(layer, 0, 0);
    own.globalCompositeOperation = "source-in";
    own.fillStyle = ink;
    own.fillRect(0, 0, width, height);
    out.drawImage(tint, 0, 0);
  }
  /** @type {Blob} */
  const blob = await new Promise((then) => mask.toBlob((made) => then(/** @type {Blob} */ (made)), "image/png"));
  return (await send(blob, "region.png")).picture.id;
}

const isEmpty = (/** @type {HTMLCanvasElement} */ layer) => !pen(layer).getImageData(0, 0, layer.width, layer.height).data.some((value, at) => at % 4 === 3 && value > 0);

/** @param {() => void} close */
async function done(close) {
  try {
    const painted = /** @type {NonNullable<typeof board>} */ (board).regions.filter(({ layer }) => !isEmpty(layer));
    const kept = painted.filter(({ keep, picture }) => keep || !picture);
    const mask = kept.length ? await flat(kept.map(({ layer }) => layer), "#fff", "#000") : null;
    const regions = [];
    for (const region of painted.filter((one) => !kept.includes(one))) {
      regions.push({ mask: await flat([region.layer], "#000", "#fff"), picture: region.picture, weight: 1 });
    }
    close();
    change("pictures", { mask, regions });
  } catch (error) { complain(error); }
}
