// Draws the chart of a report, and sorts the table of trades.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("charts").textContent);
  const chart = tradenbChart(document.getElementById("chart"), data, window.Plotly);

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

  window.addEventListener("beforeprint", () => chart.print(true));
  window.addEventListener("afterprint", () => chart.print(false));
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    Array.from(table.tHead.rows[0].cells).forEach((cell, column) => {
      cell.querySelector("button").addEventListener("click", () => sort(table, column));
    });
  }
})();
