// Columns as `packed_columns.py` packs them, and candles in levels of detail. No drawing here.

const CHART_MINUTE = 60_000;
const CHART_DAY = 1440 * CHART_MINUTE;
const CHART_STEPS = [1, 3, 5, 15, 30, 60, 120, 240, 360, 480, 720].map((m) => m * CHART_MINUTE)
  .concat([1, 2, 5, 10, 50, 100].map((d) => d * CHART_DAY));

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Whole numbers of the decimal unit of a column.
async function wholes({ n, k, r, z }) {
  const bytes = await inflate(z);
  const found = new Float64Array(n);
  let sum = 0;
  for (let row = 0; row < n; row++) {
    let folded = 0;
    for (let plane = k - 1; plane >= 0; plane--) folded = folded * 256 + bytes[plane * n + row];
    const step = folded % 2 ? -(folded + 1) / 2 : folded / 2;
    sum = r ? sum + step : step;
    found[row] = sum;
  }
  return found;
}

function inUnits(values, decimals) {
  const unit = 10 ** Math.abs(decimals);
  return values.map(decimals >= 0 ? (value) => value / unit : (value) => value * unit);
}

async function column(packed) {
  const found = inUnits(await wholes(packed), packed.d);
  if (packed.gaps) (await wholes(packed.gaps)).forEach((gap, row) => { if (gap) found[row] = NaN; });
  return found;
}

async function columns(table) {
  const names = Object.keys(table);
  const found = await Promise.all(names.map((name) => column(table[name])));
  return Object.fromEntries(names.map((name, place) => [name, found[place]]));
}

async function candles(packed) {
  const [time, jump, body, above, below, volume] = await Promise.all(
    [packed.time, packed.jump, packed.body, packed.above, packed.below].map(wholes)
      .concat([column(packed.volume)]));
  const [open, high, low, close] = [0, 1, 2, 3].map(() => new Float64Array(time.length));
  let before = 0;
  for (let row = 0; row < time.length; row++) {
    open[row] = before + jump[row];
    before = close[row] = open[row] + body[row];
    high[row] = Math.max(open[row], before) + above[row];
    low[row] = Math.min(open[row], before) - below[row];
  }
  const price = (values) => inUnits(values, packed.decimals);
  return { step: packed.step, time: time.map((at) => at * 1000), open: price(open), high: price(high),
    low: price(low), close: price(close), volume };
}

// The first row whose value is not below `wanted`.
function firstFrom(values, wanted) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1; else high = middle;
  }
  return low;
}

// Longer candles; `last` is the row of the finer level that each closes with.
function coarser(level, step) {
  const found = { step, time: [], open: [], high: [], low: [], close: [], volume: [], last: [] };
  let row = -1;
  for (let place = 0; place < level.time.length; place++) {
    const at = Math.floor(level.time[place] / step) * step;
    if (row < 0 || found.time[row] !== at) {
      row++;
      found.time.push(at);
      found.open.push(level.open[place]);
      found.high.push(level.high[place]);
      found.low.push(level.low[place]);
      found.volume.push(0);
    }
    found.high[row] = Math.max(found.high[row], level.high[place]);
    found.low[row] = Math.min(found.low[row], level.low[place]);
    found.close[row] = level.close[place];
    found.volume[row] += level.volume[place];
    found.last[row] = place;
  }
  return found;
}

// The candles of one symbol, and which of them a view shows.
class Levels {
  constructor([whole, detail]) {
    this.whole = whole;
    this.detail = detail ?? null;
    this.made = new Map([[whole.step, whole]]);
  }

  level(step) {
    if (!this.made.has(step)) this.made.set(step, coarser(this.whole, step));
    return this.made.get(step);
  }

  // Rows in view of the finest level that has at most so many of them: parts of one or two levels.
  view(from, to, most) {
    if (this.detail && (to - from) / this.detail.step <= most && this.details(from, to)) return this.mixed(from, to);
    const { step } = this.whole;
    const finer = [step, ...CHART_STEPS.filter((each) => each > step && each % step === 0)];
    let [first, last, level] = [0, 0, this.whole];
    for (const each of finer) {
      level = this.level(each);
      first = firstFrom(level.time, from - each + 1);
      last = firstFrom(level.time, to);
      if (last - first <= most) break;
    }
    return { step: level.step, mixed: false, volumes: [level, first, last], parts: [[level, first, last]] };
  }

  // How many candles of those around trades are in view.
  details(from, to) {
    return firstFrom(this.detail.time, to) - firstFrom(this.detail.time, from - this.detail.step + 1);
  }

  // The candles around trades as they are, and coarse ones where those are not kept.
  mixed(from, to) {
    const { whole, detail } = this;
    const [first, last] = [firstFrom(whole.time, from - whole.step + 1), firstFrom(whole.time, to)];
    const parts = [];
    let coarse = false;
    for (let row = first; row < last; row++) {
      const begin = firstFrom(detail.time, whole.time[row]);
      const end = firstFrom(detail.time, whole.time[row] + whole.step);
      coarse ||= begin === end;
      parts.push(begin < end ? [detail, begin, end] : [whole, row, row + 1]);
    }
    const [begin, end] = [firstFrom(detail.time, from - detail.step + 1), firstFrom(detail.time, to)];
    const volumes = coarse ? [whole, first, last] : [detail, begin, end];
    return { step: detail.step, mixed: coarse, volumes, parts };
  }
}
