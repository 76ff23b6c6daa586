"use strict";
// Shows /health and /api/calls, and the turns of one call; /api/events says when. Text is set as text, never as
// markup.

const byId = (id) => document.getElementById(id);
let shown = null;
let next = null;

// As long as this page is open, and only for it.
function authorization() {
  const token = sessionStorage.getItem("token");
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", headers: authorization() });
  if (!answer.ok && path !== "/health") throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function row(cells) {
  const line = document.createElement("tr");
  for (const cell of cells) line.insertCell().textContent = cell;
  return line;
}

function seconds(call) {
  if (call.answered_at_ms === null) return "";
  const end = call.ended_at_ms ?? Date.now();
  return `${Math.max(0, Math.round((end - call.answered_at_ms) / 1000))} s`;
}

// What the GPU and the box tell of themselves; what they do not tell is left out.
function figures(machine) {
  const told = (value, text) => (value === null ? [] : [text(value)]);
  const celsius = (value) => `${Math.round(value)} °C`;
  const gpu = machine.gpu;
  const parts = gpu === null ? [] : [
    `GPU ${gpu.name ?? ""} (${gpu.state})`,
    ...told(gpu.temperature_c, celsius),
    ...told(gpu.load, (load) => `${Math.round(100 * load)} % busy`),
    ...told(gpu.power_w, (watts) => `${Math.round(watts)} W`),
    ...told(gpu.memory, (memory) => `${(memory.free_bytes / 1e9).toFixed(1)} GB free`),
  ];
  return [
    ...parts,
    ...told(machine.temperature_c, (value) => `processor ${celsius(value)}`),
    `speech engine ${Math.round(100 * machine.engine_load)} % busy`,
  ].join(", ");
}

function showHealth(health) {
  const state = byId("state");
  state.textContent = health.takes_calls
    ? `${health.state}, ${health.live_calls} in call`
    : `${health.state}, takes no calls`;
  state.className = health.state;
  byId("engine").textContent =
    health.engine === null ? "" : `hears with ${health.engine.model} on ${health.engine.device}`;
  byId("machine").textContent = health.machine === null ? "" : figures(health.machine);
  byId("reasons").replaceChildren(...health.reasons.map((reason) => {
    const item = document.createElement("li");
    item.textContent = reason;
    return item;
  }));
}

// What is wrong with an account stands among the reasons.
function showAccounts(accounts) {
  byId("accounts").replaceChildren(...accounts.map((account) => {
    const item = document.createElement("li");
    const time = (ms) => new Date(ms).toLocaleTimeString();
    item.textContent = account.state === "registered"
      ? `account ${account.name}: registered until ${time(account.registered_until_ms)}`
      : account.state === "failing"
        ? `account ${account.name}: not registered since ${time(account.failing_since_ms)}`
        : account.state === "unreachable"
          ? `account ${account.name}: no answer since ${time(account.failing_since_ms)}`
          : `account ${account.name}: ${account.reason ?? account.state}`;
    return item;
  }));
}

// A call that we make says how far it is, and when it is tried again.
function state(call) {
  if (call.direction === "inbound") return call.state;
  switch (call.state) {
    case "active": return "talking";
    case "early-media": return "early media";
    case "waiting": return `again at ${new Date(call.dialled.again_at_ms).toLocaleTimeString()}`;
    default: return call.state;
  }
}

// Why it ended; of one that is tried again, why the last attempt did.
function ending(call) {
  const earlier = call.dialled?.earlier ?? [];
  const attempts = earlier.length > 0 ? `attempt ${earlier.length + 1}, before: ${earlier.at(-1).cause}` : "";
  return call.ending?.text ?? attempts;
}

function showCalls(calls) {
  byId("none").hidden = calls.length > 0;
  byId("calls").hidden = calls.length === 0;
  const focused = document.activeElement?.dataset?.call;
  byId("calls").tBodies[0].replaceChildren(...calls.map((call) => {
    const line = row([
      new Date(call.started_at_ms).toLocaleTimeString(),
      `${call.direction === "inbound" ? "from" : "to"} ${call.peer}`,
      state(call),
      seconds(call),
      call.turn_count,
      ending(call),
    ]);
    const open = () => { shown = call.id; refresh(); };
    line.tabIndex = 0;
    line.dataset.call = call.id;
    line.dataset.since = call.ended_at_ms === null ? call.answered_at_ms ?? "" : "";
    line.addEventListener("click", open);
    line.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
    return line;
  }));
  if (focused) document.querySelector(`[data-call="${CSS.escape(focused)}"]`)?.focus();
}

// Slanted are the words that may still change.
function showPartial(partial) {
  byId("partial").hidden = partial === null;
  byId("settled").textContent = partial?.settled ?? "";
  byId("rest").textContent = partial?.rest ?? "";
}

function showCall(call) {
  byId("call").hidden = false;
  byId("call-id").textContent = call.id;
  byId("call-line").textContent = [
    call.codec ?? "no codec yet",
    `${call.rtp.packets_received} packets in, ${call.rtp.packets_lost} lost`,
    `jitter ${call.rtp.jitter_ms.toFixed(1)} ms`,
    `${call.rtp.packets_sent} out`,
    ...score("we hear", call.mos.incoming),
    ...score("they hear", call.mos.outgoing),
    ...(call.one_way === null ? [] : [call.one_way.text]),
    ...(call.answered_by === null ? [] : [`answered by: ${call.answered_by}`]),
    ...(call.is_joined ? ["put through: the two talk through the box"] : []),
  ].join(" · ");
  const turns = byId("call").querySelector("tbody");
  turns.replaceChildren(...call.turns.map((turn) =>
    row([turn.caller, turn.reply, turn.gap_ms === null ? "" : `${turn.gap_ms} ms`, where(turn)])));
  showPartial(call.partial);
}

// Mean opinion score, 1 to 4.5: now and at its worst.
function score(who, mos) {
  if (mos === null) return [];
  return [`${who} ${mos.last.toFixed(1)} of 4.5 (worst ${mos.worst.toFixed(1)})`];
}

// Where the gap went, without the parts that took no time.
function where(turn) {
  const parts = Object.entries(turn.latency ?? {}).filter(([, ms]) => ms > 0);
  return parts.map(([name, ms]) => `${name.replace("_ms", "")} ${ms}`).join(" + ");
}

// What is shown is asked for when an event says that it has changed, and once more when a minute has been quiet.
// Without events, as while the box starts again, every two seconds.
const QUIET = 60000;
const WITHOUT_EVENTS = 2000;
const TYPES = "call,transcript,reply,message,account,health";
let hears = false;
let last = null;

async function refresh() {
  clearTimeout(next);
  next = null;
  try {
    const health = await ask("/health");
    if (!("reasons" in health)) return askForToken();
    showHealth(health);
    byId("access").hidden = true;
    showAccounts(health.accounts);
    const { calls } = await ask("/api/calls");
    showCalls(calls);
    const chosen = calls.some((call) => call.id === shown) ? shown : calls[0]?.id;
    if (chosen) showCall(await ask(`/api/calls/${encodeURIComponent(chosen)}`));
  } catch {
    byId("state").textContent = "not reachable";
    byId("state").className = "unreachable";
  }
  lookIn(hears ? QUIET : WITHOUT_EVENTS);
}

// Many events at once are one look.
function lookIn(wait) {
  if (next !== null && wait >= QUIET) return;
  clearTimeout(next);
  next = setTimeout(refresh, wait);
}

// How long calls last goes on without being asked for.
setInterval(() => {
  for (const line of byId("calls").tBodies[0].rows) {
    const since = Number(line.dataset.since);
    if (since > 0) line.cells[3].textContent = `${Math.max(0, Math.round((Date.now() - since) / 1000))} s`;
  }
}, 1000);

function heard(event) {
  if (event.id) last = event.id;
  lookIn(100);
}

// Server-sent events, read by fetch, which can send the token where EventSource cannot.
async function listen() {
  try {
    const headers = last === null ? {} : { "Last-Event-ID": last };
    const answer = await fetch(`/api/events?types=${TYPES}`, {
      cache: "no-store",
      headers: { ...authorization(), Accept: "text/event-stream", ...headers },
    });
    if (!answer.ok) throw new Error(`events: ${answer.status}`);
    hears = true;
    lookIn(0);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const lines = block.split("\n");
        const id = lines.find((line) => line.startsWith("id:"))?.slice(3).trim();
        if (lines.some((line) => line.startsWith("data:"))) heard({ id });
      }
    }
  } catch {
    // Until it is back there are looks.
  }
  hears = false;
  lookIn(WITHOUT_EVENTS);
  setTimeout(listen, WITHOUT_EVENTS);
}

function askForToken() {
  byId("access").hidden = false;
}

byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value);
  byId("token").value = "";
  refresh();
});

refresh();
listen();
