// What a chart draws of one symbol, unpacked; and the colours of the page that it stands on.

// What lies behind a box: the page's own colour, whatever theme it follows.
function pageColour(box) {
  for (let each = box; each; each = each.parentElement) {
    const found = getComputedStyle(each).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    if (found.length >= 3 && (found[3] ?? 1) > 0.5) return found.slice(0, 3);
  }
  return [255, 255, 255];
}

function lookOf(box, paper) {
  const [red, green, blue] = paper ? [255, 255, 255] : pageColour(box);
  const dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  return { ...CHART_LOOKS[dark ? "dark" : "light"], page: `rgb(${red},${green},${blue})` };
}

// The least and the greatest of the known values.
function spread(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

class Runs {
  constructor({ size, at, level }) {
    Object.assign(this, { size, at, level, begins: [] });
    let begin = 0;
    for (const length of size) {
      this.begins.push(begin);
      begin += length;
    }
  }

  inView(from, to) {
    return [...this.begins.keys()].filter((run) => this.at[this.begins[run]] <= to &&
      this.at[this.begins[run] + this.size[run] - 1] >= from);
  }

  // Of several levels within a candle the last is drawn.
  in(from, to, take, step) {
    for (const run of this.inView(from, to)) {
      const [begin, end] = [this.begins[run], this.begins[run] + this.size[run]];
      for (let row = begin; row < end; row++) {
        const same = row > begin && row + 1 < end - 1 &&
          Math.floor(this.at[row] / step) === Math.floor(this.at[row + 1] / step);
        if (!same) take(this.at[row], this.level[row]);
      }
      take(null, null);
    }
  }
}

async function symbolOf(given) {
  const [levels, trades, marks, open, stops, targets, averages, ...values] = await Promise.all([
    Promise.all(given.levels.map(candles)), ...["trades", "marks", "open", "stops", "targets", "averages"]
      .map((name) => columns(given[name])),
    ...given.indicators.map((each) => Promise.all(each.levels.map(column)))]);
  const indicators = given.indicators.map((each, place) => ({ ...each, values: values[place] }));
  return { name: given.name, count: given.all_trades, decimals: given.levels[0]?.decimals ?? 2, trades, marks, open,
    indicators, levels: levels.length ? new Levels(levels) : null, stops: new Runs(stops),
    targets: new Runs(targets), averages: new Runs(averages),
    valueOf: ({ values: found }, level, row) => {
      if (levels.length > 1 && level === levels[1]) return found[1][row];
      return found[0][level === levels[0] ? row : level.last[row]];
    } };
}

// With the candles of a file beside the page, where it has been read.
function withAllCandles(data) {
  const all = globalThis.tradenbCandles ?? [];
  return { ...data, symbols: data.symbols.map((symbol, place) => ({ ...symbol, ...all[place] })) };
}
