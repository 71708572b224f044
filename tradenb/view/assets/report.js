// Draws the charts of a report, follows the colour scheme, and sorts the table of trades.
(function () {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const LIGHT = { text: "#5f6873", grid: "#e2e5e9", zero: "#a9b0b9" };
  const DARK = { text: "#9aa3ae", grid: "#2c3138", zero: "#59616b" };
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
  };
  const NARROW = 520; // there a legend has two columns
  const boxes = [];

  function colours(box, palette) {
    const patch = { "font.color": palette.text };
    for (const key of Object.keys(box.layout)) {
      if (!/^[xy]axis\d*$/.test(key)) continue;
      patch[key + ".gridcolor"] = palette.grid;
      patch[key + ".zerolinecolor"] = palette.zero;
    }
    return patch;
  }

  function paint(palette, more) {
    for (const box of boxes) {
      window.Plotly.relayout(box, Object.assign(colours(box, palette), more));
    }
  }

  function follow() {
    paint(dark.matches ? DARK : LIGHT, { autosize: true, width: null });
  }

  function draw(id, figure) {
    const box = document.getElementById(id);
    const narrow = box.clientWidth < NARROW ? { legend: { entrywidth: 0.5, entrywidthmode: "fraction" } } : {};
    const layout = Object.assign({}, figure.layout, { autosize: true }, narrow);
    window.Plotly.react(box, figure.data, layout, CONFIG);
    if (!boxes.includes(box)) boxes.push(box);
    window.Plotly.relayout(box, colours(box, dark.matches ? DARK : LIGHT));
  }

  function value(cell) {
    const number = cell.dataset.sort;
    return number === undefined ? cell.textContent : Number(number);
  }

  function compare(one, other) {
    if (typeof one === "number") return one - other;
    return one < other ? -1 : one > other ? 1 : 0;
  }

  function sort(table, column) {
    const head = table.tHead.rows[0].cells[column];
    const rising = head.getAttribute("aria-sort") === "descending";
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [value(row.cells[column]), row]);
    rows.sort((one, other) => (rising ? 1 : -1) * compare(one[0], other[0]));
    body.append(...rows.map((pair) => pair[1]));
  }

  draw("equity", charts.equity);
  if (charts.prices.length) {
    const choice = document.getElementById("symbol");
    draw("price", charts.prices[0]);
    choice.addEventListener("change", () => draw("price", charts.prices[Number(choice.value)]));
  }
  dark.addEventListener("change", follow);
  window.addEventListener("beforeprint", () => paint(LIGHT, { autosize: false, width: 680 }));
  window.addEventListener("afterprint", follow);
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    Array.from(table.tHead.rows[0].cells).forEach((cell, column) => {
      cell.querySelector("button").addEventListener("click", () => sort(table, column));
    });
  }
})();
