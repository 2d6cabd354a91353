// @ts-check
// How another device finds the page: its address, and a code for its camera.

import { by, dialog, h } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** Offers it, if others may come. @param {{address: string, side: number, path: string} | null} invitation */
export function start(invitation) {
  by("invite").hidden = !invitation;
  if (!invitation) return;
  by("invite").addEventListener("click", () => {
    const svg = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");
    const side = invitation.side + 8;
    for (const [name, value] of Object.entries({ viewBox: `-4 -4 ${side} ${side}`, class: "code", role: "img", "aria-label": "The address as a QR code" })) svg.setAttribute(name, value);
    path.setAttribute("d", invitation.path);
    svg.append(path);
    const close = dialog("On another device", h("p", {}, "Point its camera here, or type the address. Whoever has it can use this studio."), svg, h("pre", { tabIndex: 0 }, invitation.address),
      h("div", { class: "row" }, h("button", { type: "button", onclick: () => close() }, "Close")));
  });
}
