"use strict";
// The tokens live in this tab only and end with it. The device's note opens nothing: it spares a known device when strangers try passwords.
// Text from the server is set as text, never as HTML.
const words = $words;
const by = (id) => document.getElementById(id);
const REFRESH_MS = 3000;
const TOKENS = "haechi.tokens";
const DEVICE = "haechi.device";
const SAID = { wrong_credentials: words.wrong, wrong_code: words.wrong_code };
const exchanged = new Map(); // refresh token, good once: the promise of its successors
let timer = null;
let visit = 0; // what is asked for in one visit is not shown in the next
let challenge = null;
let offline = false;

const kept = () => JSON.parse(sessionStorage.getItem(TOKENS));

function keep(tokens) {
  sessionStorage.setItem(TOKENS, JSON.stringify({ access: tokens.access_token, refresh: tokens.refresh_token }));
  localStorage.setItem(DEVICE, tokens.device_token);
}

async function ask(method, path, body, access) {
  const headers = { "Content-Type": "application/json" };
  if (access) headers.Authorization = "Bearer " + access;
  if (method === "POST") headers["Idempotency-Key"] = crypto.randomUUID ? crypto.randomUUID() : String(Date.now());
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const data = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(data.error.message), { status: answer.status, code: data.error.code });
  return data;
}

async function call(method, path, body, held = kept()) {
  try {
    return await ask(method, path, body, held && held.access);
  } catch (error) {
    if (error.status !== 401 || !held) throw error;
    return ask(method, path, body, (await renewed(held)).access);
  }
}

function renewed(held) {
  if (!exchanged.has(held.refresh)) {
    const made = exchange(held);
    made.catch(() => exchanged.delete(held.refresh));
    exchanged.set(held.refresh, made);
  }
  return exchanged.get(held.refresh);
}

async function exchange(held) {
  const tokens = await ask("POST", "/auth/refresh", { refresh_token: held.refresh });
  if (kept() && kept().refresh === held.refresh) keep(tokens);
  return { access: tokens.access_token, refresh: tokens.refresh_token };
}

function problem(text) {
  by("problem").textContent = text || "";
  by("problem").hidden = !text;
}

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

const shown = (value) => value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);

function table(rows, columns) {
  const made = element("table");
  const head = element("tr", undefined, element("thead", undefined, made));
  columns.forEach((column) => element("th", words[column] || column.replaceAll("_", " "), head));
  const body = element("tbody", undefined, made);
  rows.forEach((row) => {
    const line = element("tr", undefined, body);
    columns.forEach((column) => element("td", shown(row[column]), line));
  });
  return made;
}

function facts(object) {
  const made = element("div");
  const list = element("dl", undefined, made);
  list.className = "facts";
  for (const [name, value] of Object.entries(object)) {
    if (Array.isArray(value) && value.length && typeof value[0] === "object") {
      element("h3", words[name] || name.replaceAll("_", " "), made);
      made.append(table(value, Object.keys(value[0])));
    } else {
      const pair = element("div", undefined, list);
      element("dt", words[name] || name.replaceAll("_", " "), pair);
      element("dd", Array.isArray(value) && !value.length ? "–" : shown(value), pair);
    }
  }
  return made;
}

function line(entry) {
  if (typeof entry === "string") return entry;
  return Object.values(entry).map(shown).join("  ");
}

async function bot() {
  try {
    const logs = await call("GET", "/bot/logs?limit=50");
    return { status: await call("GET", "/bot/status"), lines: Array.isArray(logs) ? logs : logs.items || logs.logs || [], here: true };
  } catch (error) {
    if (error.status !== 404) throw error;
    return { status: null, lines: [], here: error.code !== "no_such_path" };
  }
}

function show(seen, rows) {
  const there = seen.status && Object.keys(seen.status).length;
  by("state").replaceChildren(there ? facts(seen.status) : element("p", seen.here ? words.no_bot : words.no_bots_here));
  by("logs").textContent = seen.lines.map(line).join("\n") || words.log_empty;
  by("start").disabled = by("stop").disabled = !seen.here;
  const local = rows.map((row) => ({ ...row, created: new Date(row.created_at).toLocaleString() }));
  by("results").replaceChildren(rows.length ? table(local, ["strategy", "symbol", "timeframe", "status", "created"]) : element("p", words.no_backtests));
  by("door").hidden = true;
  by("bots").hidden = by("tests").hidden = false;
}

async function refresh() {
  clearTimeout(timer);
  if (!kept()) return;
  const mine = ++visit;
  try {
    const seen = await bot();
    const rows = (await call("GET", "/backtest/results?limit=5")).items;
    if (mine !== visit) return;
    show(seen, rows);
    if (offline) problem("");
    offline = false;
  } catch (error) {
    if (mine !== visit) return;
    if (error.status === 401) return leave(words.ended);
    offline = true;
    problem(error.status ? error.message : words.offline);
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function leave(text) {
  clearTimeout(timer);
  visit += 1;
  sessionStorage.removeItem(TOKENS);
  for (const id of ["state", "logs", "results"]) by(id).replaceChildren();
  by("door").hidden = false;
  by("bots").hidden = by("tests").hidden = true;
  stepTwo(null);
  problem(text);
}

function stepTwo(made) {
  challenge = made;
  by("first").hidden = Boolean(made);
  by("second").hidden = !made;
  by("proof").reset();
  by("code").inputMode = "numeric";
  if (made) by("code").focus();
}

// Here first: a server that does not answer keeps nobody signed in on this device.
async function signOut() {
  const held = kept();
  leave("");
  localStorage.removeItem(DEVICE);
  try {
    await call("POST", "/auth/logout", undefined, held);
  } catch (error) {
    if (error.status !== 401 && !kept()) problem(words.unheard);
  }
}

async function doing(button, work) {
  button.disabled = true;
  problem("");
  try {
    await work();
  } catch (error) {
    problem(SAID[error.code] || (error.status ? error.message : words.offline));
  }
  button.disabled = false;
  await refresh();
}

by("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const given = { email: form.get("email"), password: form.get("password") };
  const note = localStorage.getItem(DEVICE);
  if (note) given.device_token = note;
  doing(event.target.querySelector("button"), async () => {
    const answer = await ask("POST", "/auth/login", given);
    event.target.reset();
    if (answer.requires_2fa) stepTwo(answer.challenge);
    else keep(answer);
  });
});
by("proof").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = by("code").value;
  by("code").value = "";
  by("code").focus();
  doing(event.target.querySelector("button"), async () => {
    try {
      keep(await ask("POST", "/auth/login/2fa", { challenge, code }));
      stepTwo(null);
    } catch (error) {
      if (error.status !== 401 || error.code === "wrong_code") throw error;
      stepTwo(null);
      throw SAID[error.code] ? error : Object.assign(error, { message: words.too_late });
    }
  });
});
by("recovery").addEventListener("click", () => { by("code").inputMode = "text"; by("code").focus(); });
by("back").addEventListener("click", () => { stepTwo(null); problem(""); });
by("start").addEventListener("click", (event) => doing(event.target, () => call("POST", "/bot/start", {})));
by("stop").addEventListener("click", (event) => {
  if (confirm(words.confirm_stop)) doing(event.target, () => call("POST", "/bot/stop", {}));
});
by("out").addEventListener("click", signOut);
refresh();
