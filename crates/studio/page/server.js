// @ts-check
// The way to the program: orders, pictures, and what happens. One stream of events serves all tabs of a browser.

/** @param {string} method @param {string} path @param {any} [body] @param {string} [kind] */
async function ask(method, path, body, kind) {
  /** @type {RequestInit} */
  const request = { method, credentials: "same-origin" };
  if (body !== undefined) {
    request.headers = { "Content-Type": kind ?? "application/json" };
    request.body = kind ? body : JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw { problems: ["The program does not answer: is it still running? Start it again with `impasto studio`."] };
  }
  const text = await answer.text();
  let value;
  try { value = JSON.parse(text); } catch { value = { problems: [text.trim() || `the program answers ${answer.status}`] }; }
  if (!answer.ok) throw value;
  return value;
}

/** @param {string} path */
export const get = (path) => ask("GET", path);
/** @param {string} path @param {any} body */
export const post = (path, body) => ask("POST", path, body);
/** @param {string} path */
export const remove = (path) => ask("DELETE", path);

/** Sends a file. @param {Blob} file @param {string} name */
export const send = (file, name) =>
  ask("POST", `/api/pictures?name=${encodeURIComponent(name)}`, file, "application/octet-stream");

/** The small JPEG of a picture. @param {string} id */
export const small = (id) => `/api/pictures/${encodeURIComponent(id)}/small`;

/**
 * Listens to what happens. One tab holds the stream and tells the others, since browsers allow six connections in all.
 * @param {(state: any) => void} tell @param {(linked: boolean | null) => void} linked; null: another program answers
 */
export function listen(tell, linked) {
  const channel = new BroadcastChannel("impasto-studio");
  channel.onmessage = ({ data }) => (data.state ? tell(data.state) : linked(data.linked));
  /** Whether it is gone, or was started anew with another token. */
  const lost = () => fetch("/api/state", { credentials: "same-origin" }).then(({ status }) => (status === 401 ? null : false), () => false)
    .then((state) => { linked(state); channel.postMessage({ linked: state }); });
  const hold = () => new Promise(() => {
    const source = new EventSource("/api/events");
    source.onmessage = ({ data }) => {
      const state = JSON.parse(data);
      tell(state);
      channel.postMessage({ state });
    };
    source.onopen = () => { linked(true); channel.postMessage({ linked: true }); };
    source.onerror = lost;
  });
  get("/api/state").then(tell, () => linked(false));
  // Locks are there on this machine's own addresses; on others each tab has a stream.
  if (navigator.locks) navigator.locks.request("impasto-events", hold);
  else hold();
}
