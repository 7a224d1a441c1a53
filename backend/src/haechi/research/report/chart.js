"use strict";
// The chart: candles with entries and exits, equity with buy and hold, drawdown; one time axis, drawn on a canvas.
const DATA = JSON.parse(document.getElementById("data").textContent);
const box = document.getElementById("chart");
const canvas = document.createElement("canvas"), tip = document.createElement("div"), pen = canvas.getContext("2d");
const PANES = [[0, .56], [.6, .84], [.87, 1]], RIGHT = 74, BOTTOM = 26, MOST_MARKS = 2500;
const korean = () => document.getElementById("korean").checked ? 1 : 0;
const word = key => DATA.words[key][korean()];

function times(packed, length) {  // [first, count, place, step, …] -> ms; a step is 1 where none is named
  const found = new Float64Array(packed[1]), odd = new Map();
  for (let k = 2; k < packed.length; k += 2) odd.set(packed[k], packed[k + 1]);
  for (let k = 0, bucket = packed[0]; k < found.length; k++) { if (k) bucket += odd.get(k) ?? 1; found[k] = bucket * length; }
  return found;
}
for (const one of DATA.markets) {  // differences -> prices
  one.ts = times(one.ts, one.length);
  for (let k = 0, last = 0; k < one.o.length; k++) {
    const open = one.o[k] + last;
    last = open + one.c[k];
    one.o[k] = open * one.tick; one.h[k] = (open + one.h[k]) * one.tick; one.l[k] = (open - one.l[k]) * one.tick; one.c[k] = last * one.tick;
  }
}
const CURVE = DATA.curve;
CURVE.ts = times(CURVE.ts, CURVE.length);
const START = CURVE.ts[0], END = CURVE.ts[CURVE.ts.length - 1] + CURVE.length;
let view = [START, END], market = 0, colours = {}, wide = 0, high = 0, pointer = null, dragged = null, asked = false;

function place(list, value) {  // first index with list[i] >= value
  let low = 0, top = list.length;
  while (low < top) { const middle = (low + top) >> 1; if (list[middle] < value) low = middle + 1; else top = middle; }
  return low;
}
function readColours() {
  for (const name of ["paper", "card", "ink", "soft", "line", "up", "down", "hold"]) {
    tip.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(tip).color;
  }
  tip.style.color = "";
}
const x = ms => (ms - view[0]) / (view[1] - view[0]) * (wide - RIGHT);
const pane = k => [PANES[k][0] * (high - BOTTOM), PANES[k][1] * (high - BOTTOM)];
function scale(k, low, top, pad = .06) {
  const [from, to] = pane(k), room = (top - low) || Math.abs(top) || 1;
  low -= room * pad; top += room * pad;
  return Object.assign(value => to - (value - low) / (top - low) * (to - from), { low, top, from, to });
}
function nice(room, count) {
  const rough = room / count, power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find(one => one * power >= rough);
}
function rules(y, show, count) {  // horizontal lines with their values
  const step = nice(y.top - y.low, count);
  pen.font = "11px system-ui, sans-serif"; pen.textAlign = "left"; pen.textBaseline = "middle";
  for (let value = Math.ceil(y.low / step) * step; value <= y.top; value += step) {
    pen.strokeStyle = colours.line; pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(0, Math.round(y(value)) + .5); pen.lineTo(wide - RIGHT, Math.round(y(value)) + .5); pen.stroke();
    pen.fillStyle = colours.soft; pen.fillText(show(value, step), wide - RIGHT + 8, Math.max(7, y(value)));
  }
}
const number = (value, digits = 0) => value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const money = value => (value > 0 ? "+" : "") + number(value, 2);
const stamp = ms => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const HOUR = 3.6e6, DAY = 24 * HOUR;
function timeRules() {
  const step = [HOUR / 60, HOUR / 12, HOUR / 4, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY].find(one => (view[1] - view[0]) / one < wide / 105);
  const marks = [];
  if (step) for (let t = Math.ceil(view[0] / step) * step; t < view[1]; t += step) marks.push([t, step < DAY ? stamp(t).slice(11) === "00:00" ? stamp(t).slice(5, 10) : stamp(t).slice(11) : stamp(t).slice(5, 10)]);
  else {
    const months = [1, 2, 3, 6, 12, 24, 60].find(one => (view[1] - view[0]) / (one * 30.4 * DAY) < wide / 95) || 120, first = new Date(view[0]);
    for (let k = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months; Date.UTC(0, k) && Date.UTC(Math.floor(k / 12), k % 12) < view[1]; k += months)
      marks.push([Date.UTC(Math.floor(k / 12), k % 12), `${Math.floor(k / 12)}-${String(k % 12 + 1).padStart(2, "0")}`]);
  }
  pen.textAlign = "center"; pen.textBaseline = "top"; pen.font = "11px system-ui, sans-serif";
  for (const [t, text] of marks) {
    if (x(t) < 0 || x(t) > wide - RIGHT) continue;
    pen.strokeStyle = colours.line; pen.beginPath(); pen.moveTo(Math.round(x(t)) + .5, 0); pen.lineTo(Math.round(x(t)) + .5, high - BOTTOM); pen.stroke();
    pen.fillStyle = colours.soft; if (x(t) > 20) pen.fillText(text, x(t), high - BOTTOM + 8);
  }
}
function candles() {
  const one = DATA.markets[market], from = Math.max(0, place(one.ts, view[0]) - 1), to = Math.min(one.ts.length, place(one.ts, view[1]) + 1);
  let low = Infinity, top = -Infinity;
  for (let k = from; k < to; k++) { low = Math.min(low, one.l[k]); top = Math.max(top, one.h[k]); }
  const y = scale(0, low, top);
  rules(y, (value, step) => number(value, Math.min(one.digits, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))), 6);
  clipped(0, () => bodies(one, from, to, y));
  return y;
}
function bodies(one, from, to, y) {
  const together = Math.max(1, Math.ceil((to - from) / (wide - RIGHT) * 2.5)), width = (x(view[0] + one.length * together) - x(view[0]));
  for (let k = from - from % together; k < to; k += together) {
    if (k < 0) continue;
    const last = Math.min(k + together, one.ts.length) - 1;
    let h = -Infinity, l = Infinity;
    for (let j = k; j <= last; j++) { h = Math.max(h, one.h[j]); l = Math.min(l, one.l[j]); }
    const left = x(one.ts[k]), middle = left + width / 2, rising = one.c[last] >= one.o[k];
    pen.fillStyle = rising ? colours.up : colours.down; pen.globalAlpha = .9;
    pen.fillRect(middle - .5, y(h), 1, Math.max(1, y(l) - y(h)));
    pen.fillRect(left + width * .14, Math.min(y(one.o[k]), y(one.c[last])), Math.max(1, width * .72), Math.max(1, Math.abs(y(one.o[k]) - y(one.c[last]))));
  }
  pen.globalAlpha = 1;
}
function marks(y) {  // entries as triangles in the way of the trade, exits as dots in the colour of what came out
  const seen = DATA.trades.filter(one => one[0] === market && one[4] >= view[0] && one[2] <= view[1]);
  const each = Math.max(1, Math.ceil(seen.length / MOST_MARKS)), size = seen.length > 250 ? 2.4 : seen.length > 80 ? 4 : 6.5;
  const arrows = seen.length <= 250;
  for (let k = 0; k < seen.length; k += each) {
    const [, side, t0, p0, t1, p1, pnl] = seen[k], colour = pnl > 0 ? colours.up : colours.down, down = side > 0 ? 1 : -1;
    if (arrows) {
      pen.strokeStyle = colour; pen.globalAlpha = .75; pen.setLineDash([3, 3]);
      pen.beginPath(); pen.moveTo(x(t0), y(p0)); pen.lineTo(x(t1), y(p1)); pen.stroke(); pen.setLineDash([]); pen.globalAlpha = 1;
    }
    pen.strokeStyle = colours.card; pen.lineWidth = 1.2;
    if (arrows) {
      pen.fillStyle = colours.ink;
      pen.beginPath(); pen.moveTo(x(t0), y(p0)); pen.lineTo(x(t0) - size, y(p0) + down * size * 1.7); pen.lineTo(x(t0) + size, y(p0) + down * size * 1.7);
      pen.closePath(); pen.fill(); pen.stroke();
    }
    pen.fillStyle = colour; pen.beginPath(); pen.arc(x(t1), y(p1), size * .75, 0, 7); pen.fill();
    if (arrows) pen.stroke();
  }
}
function line(values, y, colour, width) {
  const from = Math.max(0, place(CURVE.ts, view[0]) - 1), to = Math.min(CURVE.ts.length, place(CURVE.ts, view[1]) + 1);
  pen.strokeStyle = colour; pen.lineWidth = width; pen.lineJoin = "round"; pen.beginPath();
  for (let k = from; k < to; k++) pen[k === from ? "moveTo" : "lineTo"](x(CURVE.ts[k] + CURVE.length), y(values[k]));
  pen.stroke();
}
function curves() {
  const from = Math.max(0, place(CURVE.ts, view[0]) - 1), to = Math.min(CURVE.ts.length, place(CURVE.ts, view[1]) + 1);
  const part = [...CURVE.equity.slice(from, to), ...CURVE.hold.slice(from, to)], low = part.reduce((a, b) => Math.min(a, b), Infinity);
  const y = scale(1, low, part.reduce((a, b) => Math.max(a, b), -Infinity));
  rules(y, value => number(value), 4);
  clipped(1, () => { line(CURVE.hold, y, colours.hold, 1.3); line(CURVE.equity, y, colours.up, 1.9); });
  const deepest = CURVE.drawdown.slice(from, to).reduce((a, b) => Math.max(a, b), .001), fall = scale(2, -deepest, 0, 0);
  rules(fall, value => `${number(value * 100 || 0, deepest < .05 ? 1 : 0)} %`.replace(/^-(0 |0\.0 )/, "$1"), 3);
  clipped(2, () => {
    pen.fillStyle = colours.down; pen.globalAlpha = .35; pen.beginPath(); pen.moveTo(x(CURVE.ts[from]), fall(0));
    for (let k = from; k < to; k++) pen.lineTo(x(CURVE.ts[k] + CURVE.length), fall(-CURVE.drawdown[k]));
    pen.lineTo(x(CURVE.ts[to - 1] + CURVE.length), fall(0)); pen.fill();
  });
}
function draw() {
  asked = false;
  const dense = window.devicePixelRatio || 1;
  wide = box.clientWidth; high = Math.max(460, Math.min(680, window.innerHeight * .72));
  if (canvas.width !== Math.round(wide * dense) || canvas.height !== Math.round(high * dense)) {
    canvas.width = Math.round(wide * dense); canvas.height = Math.round(high * dense); canvas.style.height = `${high}px`;
  }
  pen.setTransform(dense, 0, 0, dense, 0, 0); pen.clearRect(0, 0, wide, high);
  timeRules();
  const y = candles();
  clipped(0, () => marks(y));
  curves();
  [0, 1, 2].forEach(k => { pen.fillStyle = colours.soft; pen.font = "600 11px system-ui, sans-serif"; pen.textAlign = "left"; pen.textBaseline = "top"; pen.fillText(word(["price", "equity", "drawdown"][k]), 6, pane(k)[0] + 5); });
  document.getElementById("candles").textContent = word("candles_of").replace("{0}", DATA.markets[market].each) + ".";
  cross();
}
function clipped(k, work) {  // nothing of a pane over the values at its right or the panes beside it
  const [from, to] = pane(k);
  pen.save(); pen.beginPath(); pen.rect(0, from, wide - RIGHT, to - from); pen.clip(); work(); pen.restore();
}
const redraw = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };
function cross() {  // what is under the pointer
  if (!pointer || pointer[0] > wide - RIGHT || dragged) { tip.style.display = "none"; return; }
  const ms = view[0] + pointer[0] / (wide - RIGHT) * (view[1] - view[0]), one = DATA.markets[market];
  pen.strokeStyle = colours.soft; pen.globalAlpha = .6; pen.setLineDash([2, 3]); pen.lineWidth = 1; pen.beginPath();
  pen.moveTo(Math.round(pointer[0]) + .5, 0); pen.lineTo(Math.round(pointer[0]) + .5, high - BOTTOM); pen.stroke(); pen.setLineDash([]); pen.globalAlpha = 1;
  const k = Math.max(0, place(one.ts, ms + 1) - 1), e = Math.max(0, place(CURVE.ts, ms + 1) - 1), price = value => number(value, one.digits);
  const lines = [["b", stamp(one.ts[k])], ["", `O ${price(one.o[k])}  H ${price(one.h[k])}  L ${price(one.l[k])}  C ${price(one.c[k])}`],
    ["", `${word("equity")} ${number(CURVE.equity[e], 2)} · ${word("drawdown")} ${number(CURVE.drawdown[e] * 100, 2)} % · ${word("hold")} ${number(CURVE.hold[e], 2)}`]];
  let near = null, best = 9;
  for (const t of DATA.trades) if (t[0] === market) for (const [a, b] of [[t[2], t[3]], [t[4], t[5]]]) {
    const away = Math.abs(x(a) - pointer[0]);
    if (away < best) { best = away; near = t; }
  }
  if (near) lines.push(["hr"], ["b", `${word(near[1] > 0 ? "long" : "short")} ${near[8]} · ${word("pnl")} ${money(near[6])}`],
    ["", `${word("entry")} ${stamp(near[2])} @ ${price(near[3])}  ${near[12]}`], ["", `${word("exit")} ${stamp(near[4])} @ ${price(near[5])}  ${near[13]}`]);
  tip.replaceChildren(...lines.map(([kind, text]) => { const row = document.createElement(kind || "div"); if (text) row.textContent = text; if (kind !== "b") return row; const whole = document.createElement("div"); whole.append(row); return whole; }));
  tip.style.display = "block";
  tip.style.left = `${Math.max(4, Math.min(pointer[0] + 16, wide - tip.offsetWidth - 6))}px`;
  if (pointer[0] + 16 + tip.offsetWidth > wide) tip.style.left = `${Math.max(4, pointer[0] - tip.offsetWidth - 16)}px`;
  tip.style.top = `${Math.max(4, Math.min(pointer[1] + 14, high - tip.offsetHeight - 30))}px`;
}
function show(from, to) {
  const least = Math.min(END - START, DATA.markets[market].length * 12), room = Math.max(least, Math.min(to - from, END - START)), middle = (from + to) / 2;
  const start = Math.max(START, Math.min(middle - room / 2, END - room));
  view = [start, start + room]; redraw();
}
function zoom(factor, at = wide / 2) {
  const fixed = view[0] + at / (wide - RIGHT) * (view[1] - view[0]);
  show(fixed - (fixed - view[0]) * factor, fixed + (view[1] - fixed) * factor);
}
tip.id = "tip"; box.tabIndex = 0; box.append(canvas, tip); document.body.classList.add("live");  // the still picture remains, for printing
const inside = event => { const edge = canvas.getBoundingClientRect(); return [event.clientX - edge.left, event.clientY - edge.top]; };
const fingers = new Map();
canvas.addEventListener("pointerdown", event => { fingers.set(event.pointerId, inside(event)); canvas.setPointerCapture(event.pointerId); dragged = [inside(event)[0], ...view]; });
canvas.addEventListener("pointermove", event => {
  pointer = inside(event);
  if (fingers.size === 2) {
    const before = [...fingers.values()]; fingers.set(event.pointerId, pointer); const after = [...fingers.values()];
    zoom(Math.abs(before[0][0] - before[1][0]) / Math.max(1, Math.abs(after[0][0] - after[1][0])), (after[0][0] + after[1][0]) / 2);
  } else if (dragged) { const by = (dragged[0] - pointer[0]) / (wide - RIGHT) * (dragged[2] - dragged[1]); show(dragged[1] + by, dragged[2] + by); }
  redraw();
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, event => { fingers.delete(event.pointerId); dragged = null; redraw(); });
canvas.addEventListener("pointerleave", () => { pointer = null; redraw(); });
canvas.addEventListener("wheel", event => { event.preventDefault(); zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 400))), inside(event)[0]); }, { passive: false });
canvas.addEventListener("dblclick", () => show(START, END));
box.addEventListener("keydown", event => {
  const by = (view[1] - view[0]) * .2, act = { ArrowLeft: () => show(view[0] - by, view[1] - by), ArrowRight: () => show(view[0] + by, view[1] + by), "+": () => zoom(.7), "-": () => zoom(1.4), Escape: () => show(START, END) }[event.key];
  if (act) { event.preventDefault(); act(); }
});
document.getElementById("everything").addEventListener("click", () => show(START, END));
const tabs = [...document.querySelectorAll("[data-market]")];
function choose(which) { market = which; tabs.forEach((tab, k) => tab.classList.toggle("on", k === which)); redraw(); }
tabs.forEach((tab, k) => tab.addEventListener("click", () => choose(k)));
const repaint = () => { readColours(); redraw(); };
document.querySelectorAll(".toggles input").forEach(input => input.addEventListener("change", repaint));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
new ResizeObserver(redraw).observe(box);
choose(0); repaint();
