// @ts-check
// Zooming to the cursor, panning, pens and fingers, for whatever lies on a stage.

/**
 * @param {HTMLElement} stage @param {(HTMLElement | SVGElement)[]} layers all of one size, moved in step
 * @param {{width: number, height: number, stroke?: (at: {x: number, y: number}, before: {x: number, y: number} | null, pressure: number) => void, end?: () => void, cancel?: () => void}} what
 */
export function view(stage, layers, what) {
  let scale = 1, left = 0, top = 0, space = false, drawing = false;
  /** @type {{x: number, y: number} | null} */
  let before = null;
  /** @type {Map<number, {x: number, y: number}>} */
  const fingers = new Map();
  const apply = () => { for (const layer of layers) layer.style.transform = `translate(${left}px, ${top}px) scale(${scale})`; };
  const fit = () => {
    const { clientWidth, clientHeight } = stage;
    scale = Math.min(clientWidth / what.width, clientHeight / what.height) || 1;
    left = (clientWidth - what.width * scale) / 2;
    top = (clientHeight - what.height * scale) / 2;
    apply();
  };
  const zoom = (/** @type {number} */ by, /** @type {number} */ x, /** @type {number} */ y) => {
    const to = Math.min(40, Math.max(0.02, scale * by));
    left = x - ((x - left) * to) / scale;
    top = y - ((y - top) * to) / scale;
    scale = to;
    apply();
  };
  const at = (/** @type {PointerEvent | WheelEvent} */ event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const inside = (/** @type {{x: number, y: number}} */ point) => ({ x: (point.x - left) / scale, y: (point.y - top) / scale });
  const force = (/** @type {PointerEvent} */ event) => (event.pointerType === "pen" ? 0.2 + 0.8 * event.pressure : 1);
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const point = at(event);
    zoom(Math.exp(-event.deltaY * 0.0015), point.x, point.y);
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (event.target instanceof HTMLButtonElement) return;
    const point = at(event);
    fingers.set(event.pointerId, point);
    stage.setPointerCapture(event.pointerId);
    if (fingers.size === 2 && drawing) { drawing = false; what.cancel?.(); }
    drawing = Boolean(what.stroke) && fingers.size === 1 && event.button === 0 && !space;
    if (drawing) { before = inside(point); what.stroke?.(before, null, force(event)); }
  });
  stage.addEventListener("pointermove", (event) => {
    const was = fingers.get(event.pointerId);
    if (!was) return;
    const point = at(event);
    if (drawing) {
      const next = inside(point);
      what.stroke?.(next, before, force(event));
      before = next;
    } else if (fingers.size === 2) {
      const other = /** @type {{x: number, y: number}} */ ([...fingers].find(([id]) => id !== event.pointerId)?.[1]);
      const gap = (/** @type {{x: number, y: number}} */ one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      left += (point.x - was.x) / 2;
      top += (point.y - was.y) / 2;
      zoom(gap(point) / gap(was), (point.x + other.x) / 2, (point.y + other.y) / 2);
    } else {
      left += point.x - was.x;
      top += point.y - was.y;
      apply();
    }
    fingers.set(event.pointerId, point);
  });
  const up = (/** @type {PointerEvent} */ event) => {
    if (fingers.delete(event.pointerId) && drawing) { drawing = false; before = null; what.end?.(); }
  };
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  const keys = (/** @type {KeyboardEvent} */ event) => { if (event.key === " " && stage.isConnected && what.stroke) { space = event.type === "keydown"; if (event.target === document.body || stage.contains(/** @type {Node} */ (event.target))) event.preventDefault(); } };
  document.addEventListener("keydown", keys);
  document.addEventListener("keyup", keys);
  new ResizeObserver(fit).observe(stage);
  fit();
  return { fit, zoom };
}
