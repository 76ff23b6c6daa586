// What is asked of the box. Who is signed in is known by a cookie that no script sees; what changes something is sent
// with a second secret.

let csrf = null;

export class Refused extends Error {
  constructor(status, told) {
    super(told?.detail ?? `${status}`);
    this.status = status;
    this.faults = told?.faults ?? [];
  }
}

async function answer(method, path, body, kind, more = {}) {
  const headers = { ...more };
  if (csrf !== null && method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (kind) headers["Content-Type"] = kind;
  const response = await fetch(path, { method, headers, body, cache: "no-store", credentials: "same-origin" });
  if (!response.ok && path !== "/health") {
    throw new Refused(response.status, await response.json().catch(() => null));
  }
  return response;
}

export async function ask(method, path, value) {
  const body = value === undefined ? undefined : JSON.stringify(value);
  const response = await answer(method, path, body, body && "application/json");
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}

/** What a request of another module's is sent with, for who is signed in. */
export const secret = () => (csrf === null ? {} : { "X-CSRF-Token": csrf });

export async function bytes(method, path, body, kind, more) {
  const response = await answer(method, path, body, kind, more);
  return response.blob();
}

export const get = (path) => ask("GET", path);

export async function session() {
  return known(await get("/api/session"));
}

export function known(told) {
  csrf = told.csrf;
  return told;
}
