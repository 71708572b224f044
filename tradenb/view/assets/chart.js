// A chart of a run: panes one below the other on one axis of time, a range slider, a bar of
// controls. It draws what is in view, at the level of detail that fits its width, anew at each
// zoom. Values come from `chart_data.py`; `Plotly` is the library of the page.

const CHART_CONFIG = { responsive: false, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  doubleClick: false, displayModeBar: false };
const CHART_PAPER = 680;   // pixels

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

class Chart {
  constructor(box, given, plotly) {
    const data = withAllCandles(given);
    Object.assign(this, { box, data, plotly, hidden: new Set(), symbols: new Map(), place: 0, draws: 0 });
    this.build();
    this.listen();
    this.ready = this.start();
  }

  build() {
    const { symbols } = this.data;
    this.select = node("select", { onchange: () => this.choose(Number(this.select.value)) },
      ...symbols.map((each, place) => node("option", { value: place }, each.name)));
    this.spans = [["day", 1], ["week", 7], ["month", 30.5], ["year", 365]]
      .filter(([, days]) => days * CHART_DAY < 0.9 * (this.data.end - this.data.start))
      .map(([name, days]) => node("button", { type: "button", title: `Show a ${name}`,
        onclick: () => this.span(days * CHART_DAY) }, name));
    const steps = symbols.length ? [["\u2039", "Show the trade before", -1], ["\u203a", "Show the next trade", 1]]
      .map(([sign, title, way]) => node("button", { type: "button", title, "aria-label": title,
        onclick: () => this.step(way) }, sign)) : [];
    this.words = node("span", { class: "tnbc-words" });
    this.legend = node("div", { class: "tnbc-legend", role: "group", "aria-label": "What is drawn" });
    this.plot = node("div", { class: "tnbc-plot", role: "img",
      "aria-label": "Price with trades, stops and targets, volume, indicators, equity and drawdown over time" });
    this.root = node("div", { class: "tnbc" }, node("div", { class: "tnbc-bar" },
      ...(symbols.length > 1 ? [node("label", {}, "Symbol ", this.select)] : []),
      node("span", { class: "tnbc-group" }, ...this.spans, node("button", { type: "button",
        title: "Show the whole run", onclick: () => this.all() }, "all")),
      node("span", { class: "tnbc-group" }, ...(steps.length ? [steps[0], "trade", steps[1]] : [])), this.words),
    this.legend, this.plot);
    this.box.replaceChildren(this.root);
    this.box.tnbChart = this;
  }

  listen() {
    this.media = matchMedia("(prefers-color-scheme: dark)");
    this.repaint = () => { clearTimeout(this.painting); this.painting = setTimeout(() => this.redraw(), 30); };
    this.media.addEventListener("change", this.repaint);
    this.themes = new MutationObserver(this.repaint);
    for (const each of [document.documentElement, document.body]) {
      this.themes.observe(each, { attributes: true, attributeFilter: ["class", "data-theme", "data-jp-theme-name", "style"] });
    }
    this.sizes = new ResizeObserver(() => {
      if (this.plot.clientWidth !== this.width) this.repaint();
    });
    this.sizes.observe(this.plot);
  }

  close() {
    this.media.removeEventListener("change", this.repaint);
    this.themes.disconnect();
    this.sizes.disconnect();
    clearTimeout(this.painting);
    this.plotly.purge(this.plot);
  }

  async start() {
    const { start, end, since } = this.data;
    await this.readEquity();
    const edge = Math.max(end - start, CHART_MINUTE) / 100;   // room for the marks at the edges
    this.whole = this.view = [start - edge, end + edge];
    if (since > start) this.view = [since, end + edge];
    await this.choose(this.data.chosen ?? 0);
  }

  async readEquity() {
    const { equity } = this.data;
    if (equity) {
      const [at, gains, falls, holds] = await Promise.all([equity.at, equity.gains, equity.falls, equity.holds]
        .map((packed) => packed && column(packed)));
      this.equity = { at, gains, falls: falls.map((fall) => 0 - fall), holds, stepped: equity.stepped };
    }
  }

  async choose(place) {
    this.place = place;
    this.select.value = place;
    const given = this.data.symbols[place];
    if (given && !this.symbols.has(place)) this.symbols.set(place, await symbolOf(given));
    this.symbol = this.symbols.get(place) ?? null;
    this.slider = null;
    this.begun = true;
    await this.redraw();
  }

  async update(data) {
    const atEnd = this.view[1] >= this.data.end;
    const edge = Math.max(data.end - data.start, CHART_MINUTE) / 100;
    const moved = data.end - this.data.end;
    const whole = this.view[0] === this.whole[0] && this.view[1] === this.whole[1];
    this.data = data;
    this.whole = [data.start - edge, data.end + edge];
    if (whole) this.view = this.whole;
    else if (atEnd) this.view = this.view.map((at) => at + moved);
    this.symbols.clear();
    await this.readEquity();
    await this.choose(Math.min(this.place, data.symbols.length - 1));
  }

  // Light and as wide as paper, or again as the screen is.
  print(paper) {
    this.paper = paper;
    return this.redraw();
  }

  zoom(from, to) {
    this.view = [Math.max(from, this.whole[0]), Math.min(to, this.whole[1])];
    if (this.view[1] - this.view[0] < 2 * CHART_MINUTE) this.view[1] = this.view[0] + 2 * CHART_MINUTE;
    return this.redraw();
  }

  all() {
    return this.zoom(...this.whole);
  }

  span(length) {
    const [from, to] = this.view;
    const middle = Math.min(Math.max((from + to) / 2, this.whole[0] + length / 2), this.whole[1] - length / 2);
    return this.zoom(middle - length / 2, middle + length / 2);
  }

  // The trade before or after the one that is looked at, with some room around.
  step(way) {
    const { opened, closed } = this.symbol.trades;
    if (!opened.length) return;
    const middle = (this.view[0] + this.view[1]) / 2;
    const next = firstFrom(opened, middle);
    const known = this.shown !== undefined && opened[this.shown] < this.view[1] && closed[this.shown] > this.view[0];
    const row = known ? this.shown + way : way > 0 ? next : next - 1;
    this.shown = Math.min(Math.max(row, 0), opened.length - 1);
    const step = this.symbol.levels ? (this.symbol.levels.detail ?? this.symbol.levels.whole).step : CHART_MINUTE;
    const room = Math.max(25 * step, 0.6 * (closed[this.shown] - opened[this.shown]));
    this.zoom(opened[this.shown] - room, closed[this.shown] + room);
  }

  onRelayout(change) {
    if (!Object.keys(change).some((name) => /^xaxis2?\.(range|autorange)/.test(name))) return;
    const ends = this.plot.layout.xaxis.range.map((text) =>
      Date.parse(`${String(text).replace(" ", "T")}${String(text).length > 10 ? "" : "T00:00"}Z`));
    if (ends.some(Number.isNaN)) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.zoom(...ends), 0);
  }

  axes() {
    const panes = [];
    const { symbol } = this;
    if (symbol?.levels) {
      panes.push({ axis: "y", height: this.narrow ? 260 : 360 }, { axis: "y2", title: "Volume", height: 60 });
      [...new Set(symbol.indicators.map((each) => each.where).filter((where) => where !== "price"))]
        .forEach((where, place) => panes.push({ axis: `y${5 + place}`, where, title: where, height: 84 }));
    }
    if (this.equity) {
      panes.push({ axis: "y3", title: this.equity.title,
        height: symbol?.levels ? 104 : 200 });
      panes.push({ axis: "y4", title: "Drawdown, %", height: symbol?.levels ? 64 : 84 });
    }
    return panes;
  }

  async redraw() {
    clearTimeout(this.painting);
    this.width = this.paper ? CHART_PAPER : this.plot.clientWidth;
    // Before the columns are read, or in a hidden tab: it is drawn when they are, or it is shown.
    if (!this.begun || !this.width) return;
    this.narrow = this.width < 560;
    this.look = lookOf(this.box, this.paper);
    this.root.style.setProperty("--tnbc-page", this.look.page);
    const panes = this.axes();
    const traces = this.traces(panes);
    const layout = chartLayout(this, panes);
    this.showLegend();
    this.words.textContent = this.caption;
    await this.plotly.react(this.plot, traces, layout, CHART_CONFIG);
    if (!this.draws++) {
      this.plot.on("plotly_relayout", (change) => this.onRelayout(change));
      this.plot.on("plotly_doubleclick", () => this.all());
    }
  }

  traces(panes) {
    const [from, to] = this.view;
    const { symbol, look, hidden } = this;
    const found = [];
    this.ranges = {};
    this.bases = {};
    this.caption = "";
    this.items = [];
    if (symbol?.levels) {
      const seen = symbol.levels.view(from, to, Math.min(Math.max(Math.floor(this.width / 3.4), 90), 420));
      const paneOf = (where) => panes.find((pane) => pane.where === where)?.axis ?? "y";
      const drawn = candleTraces(symbol, seen, look);
      found.push(...drawn);
      const lined = indicatorTraces(symbol, seen, look, paneOf);
      this.scale(drawn, lined.filter((trace) => trace.yaxis === "y"));
      lined.forEach((trace) => this.item(trace.name, trace.line.dash ?? "solid", trace.line.color, [trace], found));
      const rows = Array.from(symbol.trades.opened.keys())
        .filter((row) => symbol.trades.opened[row] <= to && symbol.trades.closed[row] >= from);
      this.positions(symbol, rows, seen, found);
      this.caption = this.said(symbol, seen, rows.length);
      if (rows.length > this.width / CHART_TRADE) this.caption += " \u00b7 zoom in to see each";
    }
    if (this.equity) {
      const drawn = equityTraces(this.equity, from, to, look, { equity: "y3", drawdown: "y4" });
      const lines = drawn.filter((trace) => trace.yaxis === "y3");
      this.ranges.y3 = this.bases.y3 = spread(lines.at(-1).y);
      this.reach(lines, "y3", 2);
      lines.forEach((trace) => this.item(trace.name, trace.line.dash ?? "solid", trace.line.color, [trace], found));
      found.push(drawn.at(-1));
    }
    this.slider ??= this.overview();
    found.push({ ...this.slider, line: { width: 1, color: look.hold }, fillcolor: look.whole });
    return found;
  }

  // Adds traces under a name of the legend, unless that is hidden; what lies outside is not named.
  item(name, sign, color, traces, found) {
    const hidden = this.hidden.has(name);
    const own = traces.filter((trace) => (hidden ? trace.x.length : this.isSeen(trace)));
    if (!own.length) return;
    this.items.push([name, sign, color]);
    if (!hidden) found.push(...own);
  }

  isSeen({ y, yaxis }) {
    const [low, high] = this.ranges[yaxis ?? "y"] ?? [-Infinity, Infinity];
    return y.some((value) => Number.isFinite(value) && value >= low && value <= high);
  }

  positions(symbol, rows, seen, found) {
    const [from, to] = this.view;
    const { look, data } = this;
    const most = this.width / CHART_TRADE;
    const few = symbol.stops.inView(from, to).length <= most;
    const line = (name, runs, style) => stepTrace(name, { in: (a, b, take) => few && runs.in(a, b, take, seen.step) }, from, to, style);
    const lines = [["stop", "solid", symbol.stops, { width: 1.3, color: look.loss }],
      ["target", "dashed", symbol.targets, { width: 1.3, color: look.win, dash: "dash" }],
      ["average entry", "dotted", symbol.averages, { width: 1.3, color: look.long, dash: "dot" }]]
      .map(([name, sign, runs, style]) => [name, sign, line(name, runs, style)]);
    this.reach(lines.map(([, , trace]) => trace), "y", 0.6);
    lines.forEach(([name, sign, trace]) => this.item(name, sign, trace.line.color, [trace], found));
    const many = rows.length > most;
    const exits = many ? [] : rows.map((row) => [symbol.trades.closed[row], symbol.trades.exit[row]]);
    const edge = edgeOf(seen.parts, exits, 6 * (to - from) / this.width);
    const traces = many ? bubbleTraces(symbol, rows, from, to, look, this.width) : tradeTraces(symbol, rows, from, to, look, data.texts, edge);
    const signs = many ? ["\u25cf", "\u25a0"] : ["", "", "\u25b2", "\u25bc", "\u25cf", "\u2715"];
    if (!many) found.push(...traces.slice(0, 2).filter((trace) => trace.x.length));
    traces.forEach((trace, place) => signs[place] && this.item(trace.name, signs[place], trace.marker.color, [trace], found));
    if (!many) {
      partTraces(symbol, from, to, look, data.texts, edge).forEach((trace, place) =>
        this.item(trace.name, "\u271a\u25c6\u2605"[place], trace.marker.color, [trace], found));
    }
  }

  scale([price, volume], lines) {
    this.ranges.y = this.bases.y = [spread(price.low)[0], spread(price.high)[1]];
    this.reach(lines);
    this.ranges.y2 = [0, 1.05 * (spread(volume.y)[1] || 1)];
  }

  // Makes room for more lines in a pane, the nearest first, up to a share of what it is made for.
  reach(lines, axis = "y", share = 1) {
    const [bottom, top] = this.bases[axis];
    let [low, high] = this.ranges[axis];
    const most = top - bottom + Math.max(share * (top - bottom), Math.abs(top) * 1e-4);
    const away = (value) => Math.max(bottom - value, value - top);
    const beyond = lines.filter((trace) => !this.hidden.has(trace.name)).flatMap((trace) => trace.y)
      .filter((value) => Number.isFinite(value) && away(value) > 0).sort((one, other) => away(one) - away(other));
    for (const value of beyond) {
      if (Math.max(high, value) - Math.min(low, value) > most) break;
      [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
    this.ranges[axis] = [low, high];
  }

  said(symbol, seen, count) {
    const steps = seen.mixed ? `${stepName(seen.step)} around trades, ${stepName(symbol.levels.whole.step)} elsewhere`
      : stepName(seen.step);
    const known = symbol.trades.opened.length;
    const more = known < symbol.count ? `, the newest ${known.toLocaleString("en-US")} of ${symbol.count.toLocaleString("en-US")}` : "";
    return `${steps} candles \u00b7 ${count.toLocaleString("en-US")} trade${count === 1 ? "" : "s"}${more} \u00b7 UTC`;
  }

  showLegend() {
    const items = this.items.map(([name, sign, color]) => {
      const drawn = !this.hidden.has(name);
      const line = sign.length > 1;   // how it is drawn, instead of a letter
      const mark = node("span", { class: line ? "tnbc-line" : "tnbc-sign", "aria-hidden": "true" }, line ? "" : sign);
      mark.style.color = color;
      if (line) mark.style.borderTopStyle = { dot: "dotted", dash: "dashed", dashdot: "dashed" }[sign] ?? sign;
      const words = new DOMParser().parseFromString(name, "text/html").documentElement.textContent;
      return node("button", { type: "button", "aria-pressed": String(drawn), title: drawn ? "Hide" : "Show",
        onclick: () => { this.hidden[drawn ? "add" : "delete"](name); this.redraw(); } }, mark, words);
    });
    this.legend.replaceChildren(...items);
  }

  // The whole run in the slider: closes, or the equity where there are no candles.
  overview() {
    const found = { type: "scatter", mode: "lines", xaxis: "x2", yaxis: "y20", hoverinfo: "skip", name: "whole", fill: "tozeroy" };
    const level = this.symbol?.levels?.view(...this.whole, 420).parts[0];
    if (level) {
      const [own, first, last] = level;
      return { ...found, x: Array.from(own.time.slice(first, last), (at) => moment(at + own.step / 2)),
        y: Array.from(own.close.slice(first, last)) };
    }
    const rows = this.equity ? thinned(this.equity.gains, 0, this.equity.at.length, 400) : [];
    return { ...found, fill: "none", x: rows.map((row) => moment(this.equity.at[row])), y: rows.map((row) => this.equity.gains[row]) };
  }
}
