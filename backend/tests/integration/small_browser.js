"use strict";
// A browser as small as the status page needs: elements that hold text and no HTML, storage, and a clock that rings when told.
// Lines of JSON: orders come in by stdin; requests of the page and what is seen afterwards go out by stdout.
const vm = require("node:vm");
const lines = require("node:readline").createInterface({ input: process.stdin });

const VOID = new Set(["meta", "link", "input"]);
const REFUSED = ["innerHTML", "outerHTML", "insertAdjacentHTML"];
const waiting = new Map();
let ring = null;
let document = null;

class Element {
  constructor(name, attributes = {}) {
    Object.assign(this, { name, children: [], heard: {}, hidden: "hidden" in attributes, disabled: false, className: "", start: attributes.value || "" });
    Object.assign(this, { id: attributes.id, field: attributes.name, value: this.start, inputMode: attributes.inputmode, focused: false });
    for (const one of REFUSED) Object.defineProperty(this, one, { get() { throw new Error(one); }, set() { throw new Error(one); } });
  }
  *all() { for (const child of this.children) if (child instanceof Element) { yield child; yield* child.all(); } }
  get textContent() { return this.children.map((child) => (child instanceof Element ? child.textContent : child)).join(""); }
  set textContent(text) { this.children = text === "" ? [] : [String(text)]; }
  append(...made) { this.children.push(...made); }
  replaceChildren(...made) { this.children = made; }
  addEventListener(kind, handler) { this.heard[kind] = handler; }
  querySelector(name) { return [...this.all()].find((one) => one.name === name) || null; }
  reset() { for (const one of this.all()) one.value = one.start; }
  focus() { this.focused = true; }
}

function parsed(html) {
  const root = new Element("html");
  const open = [root];
  for (const [, end, name, rest, text] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>|([^<]+)/gi)) {
    if (text !== undefined) { open.at(-1).append(text); continue; }
    if (end) { open.pop(); continue; }
    const made = new Element(name, Object.fromEntries([...rest.matchAll(/([a-z-]+)(?:="([^"]*)")?/gi)].map(([, key, value]) => [key, value || ""])));
    open.at(-1).append(made);
    if (!VOID.has(name) && !rest.endsWith("/")) open.push(made);
  }
  return root;
}

class Storage {
  constructor() { this.held = new Map(); }
  getItem(key) { return this.held.has(key) ? this.held.get(key) : null; }
  setItem(key, value) { this.held.set(key, String(value)); }
  removeItem(key) { this.held.delete(key); }
}
const sessionStorage = new Storage();
const localStorage = new Storage();

function fetch(path, { method, headers, body }) {
  const id = waiting.size;
  process.stdout.write(JSON.stringify({ id, path, method, headers, body: body ?? null }) + "\n");
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

function answered({ id, status, text }) {
  const { resolve, reject } = waiting.get(id);
  if (status === null) reject(new TypeError("Failed to fetch"));
  else resolve({ status, ok: status < 400, json: async () => JSON.parse(text) });
}

const by = (id) => [...document.all()].find((one) => one.id === id) || null;
const fields = (form) => Object.fromEntries([...form.all()].filter((one) => one.field).map((one) => [one.field, one.value]));

function opened({ html, script }) {
  document = parsed(html);
  vm.runInNewContext(script, {
    document: { getElementById: by, createElement: (name) => new Element(name) }, sessionStorage, localStorage, fetch, crypto, confirm: () => true,
    FormData: class { constructor(form) { this.all = fields(form); } get(name) { return this.all[name]; } },
    setTimeout: (work) => { ring = work; return 1; }, clearTimeout: () => { ring = null; } });
}

function submitted({ id, given }) {
  for (const one of by(id).all()) if (one.field in given) one.value = given[one.field];
  by(id).heard.submit({ preventDefault() {}, target: by(id) });
}

function seen() {
  const shown = (one) => (one instanceof Element ? (one.hidden ? "" : one.children.map(shown).join("")) : one);
  const names = [...document.all()].map((one) => one.name);
  return { shown: shown(document), everything: document.textContent, names, problem: by("problem").textContent, fields: fields(document),
    code: { inputMode: by("code").inputMode, focused: by("code").focused }, disabled: [...document.all()].filter((one) => one.disabled).map((one) => one.id),
    session: Object.fromEntries(sessionStorage.held), local: Object.fromEntries(localStorage.held), rings: ring !== null };
}

const ORDERS = {
  open: opened, answer: answered, submit: submitted,
  click: ({ id }) => by(id).heard.click({ target: by(id) }),
  ring: () => { const work = ring; ring = null; work(); },
  look: () => {},
};

lines.on("line", async (text) => {
  const order = JSON.parse(text);
  ORDERS[order.do](order);
  await new Promise(setImmediate); // everything that was ready has run
  process.stdout.write(JSON.stringify({ seen: seen() }) + "\n");
});
