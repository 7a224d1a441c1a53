// The list of trades: pages of it, sorted by any column; a click shows the trade on the chart.
const ROWS = 25, PRINTED = 2000, COLUMNS = [0, 1, 8, 2, 3, 4, 5, 6, 9, 10, 11, 13], body = document.getElementById("trades");
let order = DATA.trades.map((_, k) => k), first = 0;
function cells(one) {
  const price = value => number(value, DATA.markets[one[0]].digits);
  return [DATA.markets[one[0]].symbol, word(one[1] > 0 ? "long" : "short"), one[8], stamp(one[2]), price(one[3]), stamp(one[4]), price(one[5]), money(one[6]),
    number(one[9], 2), number(one[10], 2), number(one[11]), `${one[12] || word(one[1] > 0 ? "long" : "short")} → ${one[13]}`];
}
function list(from = first, rows = ROWS) {
  body.replaceChildren(...order.slice(from, from + rows).map(k => {
    const row = document.createElement("tr"), one = DATA.trades[k];
    row.append(...cells(one).map((text, place) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (place === 7) cell.className = one[6] > 0 ? "up" : one[6] < 0 ? "down" : "";
      return cell;
    }));
    row.addEventListener("click", () => {
      choose(one[0]);
      const room = Math.max(one[4] - one[2], DATA.markets[one[0]].length * 20);
      show(one[2] - room, one[4] + room);
      box.scrollIntoView({ behavior: "smooth", block: "center" });
    });
    return row;
  }));
  document.getElementById("place").textContent = order.length ? `${first + 1} – ${Math.min(first + ROWS, order.length)} / ${number(order.length)}` : "";
  document.getElementById("previous").disabled = first === 0;
  document.getElementById("next").disabled = first + ROWS >= order.length;
}
document.getElementById("previous").addEventListener("click", () => { first -= ROWS; list(); });
document.getElementById("next").addEventListener("click", () => { first += ROWS; list(); });
document.querySelectorAll("[data-column]").forEach(head => head.addEventListener("click", () => {
  const key = COLUMNS[head.dataset.column], rising = head.classList.contains("sorted") && !head.classList.contains("rising");
  document.querySelectorAll("[data-column]").forEach(one => one.classList.remove("sorted", "rising"));
  head.classList.add("sorted"); head.classList.toggle("rising", rising);
  const value = k => key === 8 ? Number(DATA.trades[k][8]) : DATA.trades[k][key];
  order.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : a - b) * (rising ? 1 : -1));
  first = 0; list();
}));
document.querySelectorAll("[name=language]").forEach(input => input.addEventListener("change", () => list()));
addEventListener("beforeprint", () => list(0, PRINTED));
addEventListener("afterprint", () => list());
list();
