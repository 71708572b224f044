// From what is in view to the traces that plotly draws. Colours differ in lightness and hue for
// every kind of colour vision, and each mark has a shape of its own.

const CHART_LOOKS = {
  light: { text: "#4f5863", strong: "#1b2026", page: "#ffffff", grid: "rgba(95,104,115,0.16)",
    zero: "rgba(95,104,115,0.5)", up: "#2f8f83", down: "#c2552d", volume: "rgba(95,104,115,0.42)",
    long: "#1f66b0", short: "#7d3fc4", win: "#0d7d5c", loss: "#b5431a", equity: "#1b2026",
    hold: "#7f8896", slider: "#eef0f3", whole: "#c3c9d0", lines: ["#b88600", "#8c0f52", "#d957ad", "#5a4a00"] },
  dark: { text: "#a4adb8", strong: "#e9ecef", page: "#14171b", grid: "rgba(164,173,184,0.15)",
    zero: "rgba(164,173,184,0.5)", up: "#54b8a8", down: "#e8845c", volume: "rgba(164,173,184,0.42)",
    long: "#6cb2f0", short: "#bb95f2", win: "#4fc9a0", loss: "#f2936b", equity: "#e9ecef",
    hold: "#9aa3ae", slider: "#20252c", whole: "#4a525d", lines: ["#f5e663", "#e052a0", "#b07a00", "#ffc2dd"] },
};
const CHART_OFF = 3;           // pixels between a candle and the mark of an entry
const CHART_TRADE = 10;        // pixels that a trade needs to be drawn by itself
const CHART_BUBBLE = 12;       // and those that share a mark

// Plotly takes texts for HTML, and moments for those of the reader's time zone unless written out.
function inert(text) {
  return String(text).replace(/[&<>"'$]/g, (letter) => `&#${letter.charCodeAt(0)};`).replace(/\s+/g, " ");
}

function moment(ms) {
  return new Date(ms).toISOString().slice(0, -1);
}

function minuteOf(ms) {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

function priced(value, decimals) {
  if (!Number.isFinite(value)) return "not known";
  const most = Math.min(Math.max(decimals, 0), 12);
  return value.toLocaleString("en-US", { minimumFractionDigits: Math.min(most, 2), maximumFractionDigits: most });
}

function signed(value, unit = " %") {
  const size = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${value < 0 ? "\u2212" : "+"}${size}${unit}`;
}

function lasting(ms) {
  const minutes = Math.round(ms / CHART_MINUTE);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

function stepName(step) {
  if (step % CHART_DAY === 0) return `${step / CHART_DAY}d`;
  return step % (60 * CHART_MINUTE) ? `${step / CHART_MINUTE}m` : `${step / CHART_MINUTE / 60}h`;
}

function gathered(parts, take) {
  return parts.flatMap(([level, first, last]) => {
    const found = [];
    for (let row = first; row < last; row++) found.push(take(level, row));
    return found;
  });
}

function candleTraces(symbol, seen, look) {
  const { parts, volumes } = seen;
  const { decimals } = symbol;
  const middle = (level, row) => moment(level.time[row] + level.step / 2);
  const words = (level, row) => `<b>${minuteOf(level.time[row])}</b> ${stepName(level.step)}<br>` +
    `open ${priced(level.open[row], decimals)}<br>high ${priced(level.high[row], decimals)}<br>` +
    `low ${priced(level.low[row], decimals)}<br>close ${priced(level.close[row], decimals)}`;
  const [level, first, last] = volumes;
  return [
    { type: "candlestick", name: "price", x: gathered(parts, middle),
      open: gathered(parts, (each, row) => each.open[row]), high: gathered(parts, (each, row) => each.high[row]),
      low: gathered(parts, (each, row) => each.low[row]), close: gathered(parts, (each, row) => each.close[row]),
      hovertext: gathered(parts, words), hoverinfo: "text", line: { width: 1 },
      increasing: { line: { color: look.up }, fillcolor: look.page },
      decreasing: { line: { color: look.down }, fillcolor: look.down } },
    { type: "bar", name: "volume", yaxis: "y2", x: gathered([volumes], middle),
      y: Array.from(level.volume.slice(first, last)), width: 0.72 * level.step,
      marker: { color: look.volume, line: { width: 0 } },
      hovertemplate: `%{y:,.4~g}<extra>volume ${stepName(level.step)}</extra>` },
  ];
}

function indicatorTraces(symbol, seen, look, paneOf) {
  const middle = (level, row) => moment(level.time[row] + level.step / 2);
  let place = 0;
  return symbol.indicators.map((each) => {
    const [low, high] = spread(each.values[0]);
    const line = low === high ? { width: 1.2, color: look.hold, dash: "dot" } : { width: 1.4,
      color: look.lines[place % look.lines.length], dash: place++ < look.lines.length ? "solid" : "dashdot" };
    return { type: "scatter", mode: "lines", name: inert(each.name), yaxis: paneOf(each.where),
      x: gathered(seen.parts, middle),
      y: gathered(seen.parts, (level, row) => symbol.valueOf(each, level, row)),
      line, hovertemplate: `%{y:,.6~g}<extra>${inert(each.name)} (${each.timeframe})</extra>` };
  });
}

// Lines of steps that reach into the view; null lifts the pen.
function stepTrace(name, runs, from, to, style) {
  const [x, y] = [[], []];
  runs.in(from, to, (at, level) => {
    x.push(at === null ? null : moment(at));
    y.push(level);
  });
  return { type: "scatter", mode: "lines", name, x, y, line: { shape: "hv", ...style },
    hovertemplate: `%{x|%Y-%m-%d %H:%M}<br>%{y}<extra>${name}</extra>` };
}

function marks(name, rows, symbol, color, size, look) {
  return { type: "scatter", mode: "markers", name, x: rows.map(([at]) => moment(at)), y: rows.map(([, price]) => price),
    hovertext: rows.map(([,, words]) => words), hoverinfo: "text",
    marker: { symbol, size, color, line: { width: 1.2, color: look.page } } };
}

// Marks of entries: below the candles for a long, above them for a short, so that no exit hides them.
function entryMarks(name, rows, shape, color, size, look, edge) {
  const placed = rows.map(([at, price, words, long]) => [at, edge(at, price, long), words]);
  const found = marks(name, placed, shape, color, size, look);
  Object.assign(found.marker, { angle: rows.map(([,,, long]) => (long ? 0 : 180)), standoff: CHART_OFF + size / 2 });
  return found;
}

// How low or high the candles and exits reach that a mark at a moment would cover.
function edgeOf(parts, exits, reach) {
  return (at, price, below) => {
    let found = price;
    for (const [level, first, last] of parts) {
      const end = Math.min(last, firstFrom(level.time, at + reach));
      for (let row = Math.max(first, firstFrom(level.time, at - reach - level.step)); row < end; row++) {
        found = below ? Math.min(found, level.low[row]) : Math.max(found, level.high[row]);
      }
    }
    const near = exits.filter(([other]) => Math.abs(other - at) < 2 * reach).map(([, other]) => other);
    return below ? Math.min(found, ...near) : Math.max(found, ...near);
  };
}

function tradeTraces(symbol, rows, from, to, look, texts, edge) {
  const all = symbol.trades;
  const text = (name, row) => inert(texts[all[name][row]]);
  const price = (value) => priced(value, symbol.decimals);
  const what = (row) => `${all.long[row] ? "long" : "short"} ${text("strategy", row)}`;
  const entry = (row) => [all.opened[row], all.entry[row], [`<b>${what(row)}</b>`,
    `opened ${minuteOf(all.opened[row])} at ${price(all.entry[row])}`,
    all.entries[row] > 1 ? `added to ${all.entries[row] - 1}x, average entry ${price(all.average[row])}` : "",
    `target ${Number.isNaN(all.target[row]) ? "none" : price(all.target[row])}`, `last stop ${price(all.stop[row])}`,
    text("note", row)].filter(Boolean).join("<br>")];
  const exit = (row) => [all.closed[row], all.exit[row], [
    `<b>${signed(all.pnl[row])}</b> ${text("reason", row)}`,
    `closed ${minuteOf(all.closed[row])} at ${price(all.exit[row])}`,
    all.exits[row] > 1 ? `the last of ${all.exits[row]} exits` : "",
    `${what(row)}, held ${lasting(all.closed[row] - all.opened[row])}`].filter(Boolean).join("<br>")];
  const begun = rows.filter((row) => all.opened[row] >= from && all.opened[row] <= to);
  const entries = (name, long, color) => entryMarks(name,
    begun.filter((row) => Boolean(all.long[row]) === long).map((row) => [...entry(row), long]), "triangle-up", color, size, look, edge);
  const ended = rows.filter((row) => all.closed[row] >= from && all.closed[row] <= to);
  const size = rows.length <= 60 ? 12 : 9;
  const held = (name, own, color) => ({ type: "scatter", mode: "lines", name, hoverinfo: "skip",
    x: own.flatMap((row) => [moment(all.opened[row]), moment(all.closed[row]), null]),
    y: own.flatMap((row) => [all.entry[row], all.exit[row], null]), line: { width: 1.3, color, dash: "dot" }, opacity: 0.8 });
  return [
    held("held, win", rows.filter((row) => all.pnl[row] > 0), look.win),
    held("held, no win", rows.filter((row) => !(all.pnl[row] > 0)), look.loss),
    entries("long entry", true, look.long),
    entries("short entry", false, look.short),
    marks("exit, win", ended.filter((row) => all.pnl[row] > 0).map(exit), "circle", look.win, size - 2, look),
    marks("exit, no win", ended.filter((row) => !(all.pnl[row] > 0)).map(exit), "x", look.loss, size - 2, look),
  ];
}

// Too many trades for a mark each: one for those that ended in the same stretch of time.
function bubbleTraces(symbol, rows, from, to, look, width) {
  const all = symbol.trades;
  const length = (to - from) / Math.max(24, Math.floor(width / CHART_BUBBLE));
  const found = new Map();
  for (const row of rows) {
    if (all.closed[row] < from || all.closed[row] > to) continue;
    const place = Math.floor((all.closed[row] - from) / length);
    const each = found.get(place) ?? { count: 0, wins: 0, sum: 0, price: 0, at: from + (place + 0.5) * length };
    each.count++;
    each.wins += all.pnl[row] > 0 ? 1 : 0;
    each.sum += all.pnl[row];
    each.price += all.exit[row];
    found.set(place, each);
  }
  const bubbles = [...found.values()];
  const most = Math.max(1, ...bubbles.map((each) => each.count));
  const trace = (name, own, color, shape) => ({ type: "scatter", mode: "markers", name,
    x: own.map((each) => moment(each.at)), y: own.map((each) => each.price / each.count), hoverinfo: "text",
    hovertext: own.map((each) => `<b>${each.count} trades</b> until ${minuteOf(each.at + length / 2)}<br>` +
      `${each.wins} won, sum ${signed(each.sum)}<br>zoom in to see each`),
    marker: { symbol: shape, color, opacity: 0.75, line: { width: 1, color: look.page },
      size: own.map((each) => 5 + 8 * Math.sqrt(each.count / most)) } });
  return [trace("trades, sum above 0", bubbles.filter((each) => each.sum > 0), look.win, "circle"),
    trace("trades, sum not above 0", bubbles.filter((each) => !(each.sum > 0)), look.loss, "square")];
}

function partTraces(symbol, from, to, look, texts, edge) {
  const { marks: all, open } = symbol;
  const own = (table, row) => inert(texts[table.strategy[row]]);
  const price = (value) => priced(value, symbol.decimals);
  const [first, last] = [firstFrom(all.at, from), firstFrom(all.at, to + 1)];
  const rows = Array.from({ length: last - first }, (_, place) => first + place);
  const side = (table, row) => `${table.long[row] ? "long" : "short"} ${own(table, row)}`;
  const at = (row) => `${minuteOf(all.at[row])} at ${price(all.price[row])}`;
  const added = rows.filter((row) => all.added[row]).map((row) => [all.at[row], all.price[row],
    `<b>added</b> ${+all.fraction[row].toPrecision(4)} of the first entry<br>${at(row)}<br>${side(all, row)}`]);
  const part = rows.filter((row) => !all.added[row]).map((row) => [all.at[row], all.price[row],
    `<b>${signed(all.pnl[row])}</b> part closed, ${inert(texts[all.reason[row]])}<br>${at(row)}<br>${side(all, row)}`]);
  const held = Array.from(open.at.keys()).filter((row) => open.at[row] >= from && open.at[row] <= to)
    .map((row) => [open.at[row], open.price[row], `<b>${side(open, row)}</b>, still open<br>` +
      `opened ${minuteOf(open.at[row])} at ${price(open.price[row])}<br>stop now ${price(open.stop[row])}`, Boolean(open.long[row])]);
  return [marks("added", added, "cross", look.long, 10, look), marks("part closed", part, "diamond", look.win, 10, look),
    entryMarks("still open", held, "star", look.strong, 12, look, edge)];
}

function equityTraces(equity, from, to, look, axes) {
  const first = Math.max(0, firstFrom(equity.at, from) - 1);
  const last = Math.min(equity.at.length, firstFrom(equity.at, to) + 1);
  const rows = thinned(equity.gains, first, last);
  const x = rows.map((row) => moment(equity.at[row]));
  const line = (name, values, color, axis, more) => ({ type: "scatter", mode: "lines", name, x, yaxis: axis,
    y: rows.map((row) => values[row]), line: { shape: equity.stepped ? "hv" : "linear", width: 1.6, color },
    hovertemplate: `%{x|%Y-%m-%d %H:%M}<br>%{y:,.2f} %<extra>${name}</extra>`, ...more });
  const found = [line("equity", equity.gains, look.equity, axes.equity)];
  if (equity.holds) found.unshift(line("buy and hold", equity.holds, look.hold, axes.equity));
  if (equity.holds) found[0].line.dash = "dash";
  found.push(line("drawdown", equity.falls, look.loss, axes.drawdown,
    { fill: "tozeroy", fillcolor: `${look.loss}33` }));
  return found;
}

// Rows that keep the shape: the lowest and the highest of each stretch.
function thinned(values, first, last, most = 800) {
  if (last - first <= most) return Array.from({ length: last - first }, (_, place) => first + place);
  const stretches = most / 2;
  const found = [first];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const begin = first + Math.floor((last - first) * stretch / stretches);
    const end = first + Math.floor((last - first) * (stretch + 1) / stretches);
    let [low, high] = [begin, begin];
    for (let row = begin; row < end; row++) {
      if (values[row] < values[low]) low = row;
      if (values[row] > values[high]) high = row;
    }
    found.push(...(low < high ? [low, high] : low > high ? [high, low] : [low]));
  }
  return [...new Set([...found, last - 1])];
}
