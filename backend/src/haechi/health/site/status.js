"use strict";
// The access token lives in this tab only and ends with it. Text from the server is set as text, never as HTML.
const words = $words;
const by = (id) => document.getElementById(id);
const REFRESH_MS = 3000;
let timer = null;

async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  const token = sessionStorage.getItem("haechi.access");
  if (token) headers.Authorization = "Bearer " + token;
  if (method === "POST") headers["Idempotency-Key"] = crypto.randomUUID ? crypto.randomUUID() : String(Date.now());
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const data = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(data.error.message), { status: answer.status, code: data.error.code });
  return data;
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

async function bots() {
  try {
    const status = await call("GET", "/bot/status");
    const logs = await call("GET", "/bot/logs?limit=50");
    const lines = Array.isArray(logs) ? logs : logs.items || logs.logs || [];
    by("state").replaceChildren(status && Object.keys(status).length ? facts(status) : element("p", words.no_bot));
    by("logs").textContent = lines.map(line).join("\n") || words.log_empty;
    setButtons(true);
  } catch (error) {
    if (error.status !== 404) throw error;
    const none = error.code === "no_such_path";
    by("state").replaceChildren(element("p", none ? words.no_bots_here : words.no_bot));
    by("logs").textContent = words.log_empty;
    setButtons(!none);
  }
}

function setButtons(on) {
  by("start").disabled = by("stop").disabled = !on;
}

async function tests() {
  const rows = (await call("GET", "/backtest/results?limit=5")).items;
  const local = rows.map((row) => ({ ...row, created: new Date(row.created_at).toLocaleString() }));
  by("results").replaceChildren(rows.length ? table(local, ["strategy", "symbol", "timeframe", "status", "created"]) : element("p", words.no_backtests));
}

async function refresh() {
  clearTimeout(timer);
  if (!sessionStorage.getItem("haechi.access")) return;
  try {
    await bots();
    await tests();
    by("door").hidden = true;
    by("bots").hidden = by("tests").hidden = false;
  } catch (error) {
    if (error.status === 401) return leave();
    problem(error.status ? error.message : words.offline);
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function leave() {
  clearTimeout(timer);
  sessionStorage.removeItem("haechi.access");
  by("door").hidden = false;
  by("bots").hidden = by("tests").hidden = true;
}

async function doing(button, work) {
  button.disabled = true;
  problem("");
  try {
    await work();
  } catch (error) {
    problem(error.code === "wrong_credentials" ? words.wrong : error.status ? error.message : words.offline);
  }
  button.disabled = false;
  await refresh();
}

by("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  doing(event.target.querySelector("button"), async () => {
    const tokens = await call("POST", "/auth/login", { email: form.get("email"), password: form.get("password") });
    sessionStorage.setItem("haechi.access", tokens.access_token);
    event.target.reset();
  });
});
by("start").addEventListener("click", (event) => doing(event.target, () => call("POST", "/bot/start", {})));
by("stop").addEventListener("click", (event) => {
  if (confirm(words.confirm_stop)) doing(event.target, () => call("POST", "/bot/stop", {}));
});
by("out").addEventListener("click", (event) => doing(event.target, async () => { await call("POST", "/auth/logout"); leave(); }));
refresh();
