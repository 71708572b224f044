// The view of a dashboard. It shows what the kernel sends and computes nothing but times:
// how long ago a tick was, and how long the kernel has been silent. Requests go two ways, to the
// kernel and, when that does not answer at once, as a file through the server (`server.js`).

const ANSWER_MS = 300;      // how long the kernel may take before the file is left as well
const POLL_MS = 500;        // how often to check whether the run accepted the file
const PING_MS = 15_000;     // how often the kernel learns that somebody looks
const SILENT_MS = 20_000;   // without a message for so long, the kernel is called silent
const MOST_EVENTS = 300;
const CONFIRM_MS = 4_000;
const RESUME_MS = 5_000;    // a process of its own takes some seconds to start
const STEP_PX = 20;         // the pictures are drawn anew when their width has changed by so much

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function ago(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}

// The same request from a terminal; there a flatten also ends the run.
function command(kind, row, values = null) {
  const home = row.home ?? row.control?.home ?? "…";
  const quoted = /^[\w./-]+$/.test(home) ? home : `'${home}'`;
  if (kind === "kill") return `tradenb kill --home ${quoted}`;
  const run = `${row.symbol_name}:${row.strategy_name}`;
  if (kind === "cancel") {
    return `python -c "import tradenb as tn; [run.cancel() for run in tn.live.attach(r'${home}') ` +
      `if run.id == '${run}']"`;
  }
  const [verb, option] = { stop: ["stop", ""], flatten: ["stop", " --flatten"],
    release: ["stop", " --release"], withdraw: ["withdraw", ""], resume: ["resume", ""],
    close: ["close", ` --fraction ${values?.fraction ?? "0.5"}`], move: ["move", levels(values)] }[kind];
  return `tradenb ${verb} ${run}${option} --home ${quoted}`;
}

function levels(values) {
  const given = [["--stop", values?.stop_loss], ["--target", values?.take_profit]]
    .filter(([, price]) => price).map(([name, price]) => ` ${name} ${price}`);
  return given.join("") || " --stop PRICE";
}

function atOnce(kind, row, values) {
  return `to do it at once, run in a terminal: ${command(kind, row, values)}`;
}

// As `PendingCommand` says it: what is under way, and how long until its candle closes.
function pendingWords({ kind, what, at, words }, now) {
  if (kind === "stop" || !at) return words;
  const s = Math.round((at - now) / 1000);
  return s >= 0 ? `${what} at the next close (${s} s)` : `${what} at the next candle (${-s} s overdue)`;
}

const BACK = { stop: "Keep running", flatten: "Keep open", cancel: "Keep waiting", close: "Keep open",
  move: "Leave as it is" };
const VERBS = { stop: "Stop", flatten: "Flatten", cancel: "Cancel the entry of", release: "Release",
  withdraw: "Take back for", resume: "Resume", close: "Close a part of", move: "Move the levels of" };
const FRACTIONS = [["0.25", "25 %"], ["0.5", "50 %"], ["0.75", "75 %"], ["1", "all"]];
const BUTTONS = ["stop", "flatten", "cancel", "release", "close", "move"];

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(6))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sameError([, key, , kind, words]) {
  return JSON.stringify([key, kind, words]);
}

class View {
  constructor(model, el) {
    this.model = model;
    this.lines = new Map();
    this.waiting = new Map();
    this.events = [];
    this.total = 0;
    this.offset = 0;
    this.lastMessage = Date.now();
    this.build(el);
    this.listeners = [
      ["change:rows", () => this.showRows()],
      ["change:more", () => this.showRows()],
      ["change:orders", () => this.showOrders()],
      ["change:health", () => this.showHealth()],
      ["change:pictures", () => this.showPictures()],
      ["change:chosen", () => this.showRows()],
      ["change:beat", () => this.onBeat()],
      ["change:frozen", () => this.showRows()],
      ["msg:custom", (message) => this.onMessage(message)],
    ];
    for (const [name, call] of this.listeners) model.on(name, call);
    this.onBeat();
    this.allEvents(model.get("events"));
    this.showRows();
    this.showOrders();
    this.showHealth();
    this.showPictures();
    this.ping();
    this.measure = new ResizeObserver(() => this.sendWidth());
    this.measure.observe(this.price);
    this.timers = [setInterval(() => this.tick(), 1000), setInterval(() => this.ping(), PING_MS)];
  }

  close() {
    for (const [name, call] of this.listeners) this.model.off(name, call);
    for (const timer of this.timers) clearInterval(timer);
    this.measure.disconnect();
    this.closeChart();
    clearTimeout(this.widthTimer);
  }

  build(el) {
    this.words = make("span", { class: "tnbd-words" });
    this.fresh = make("span", { class: "tnbd-fresh" });
    this.dot = make("span", { class: "tnbd-dot", "aria-hidden": "true" });
    this.stopAll = this.confirmed("Stop all", "Stop all?", "Stop all runs: no new signals", () =>
      this.running().forEach((row) => this.request("stop", row)));
    this.flattenAll = this.confirmed("Flatten all", "Close all now?",
      "Flatten all runs: close every open position at the next candle", () =>
        this.running().filter((row) => row.position && !row.scheduled)
          .forEach((row) => this.request("flatten", row)));
    this.kill = this.confirmed("Kill", "Close all, no new entries?", "Kill switch: every run under " +
      "this home sells what it holds at once and enters no more, until the file data/KILL is removed",
    () => this.killed().forEach((row) => this.request("kill", row)));
    this.kill.classList.add("tnbd-kill");
    this.home = make("span", { class: "tnbd-home" });
    this.accounts = make("div", { class: "tnbd-accounts", role: "status", "aria-label": "Accounts" });
    this.alarms = make("div", { class: "tnbd-alarms", role: "alert" });
    this.doubts = make("div", { class: "tnbd-alarms tnbd-doubts", role: "status" });
    this.body = make("tbody");
    const heads = ["Run", "Status", "Position", "Stop · entry · target", "Price", "Unrealised",
      "Tick", "Actions"];
    this.table = make("table", { class: "tnbd-runs" },
      make("caption", {}, "Live runs"),
      make("thead", {}, make("tr", {}, ...heads.map((name) => make("th", { scope: "col" }, name)))),
      this.body);
    this.more = make("p", { class: "tnbd-note" });
    this.wayRound = make("p", { class: "tnbd-note tnbd-way-round", hidden: true });
    this.empty = make("p", { class: "tnbd-empty" }, "No run yet. ",
      make("code", {}, "tn.live.background(…)"), " starts one, ",
      make("code", {}, "tn.live.rehearse(…)"), " rehearses one; both appear here.");
    this.notes = make("ul", { class: "tnbd-notes", role: "status", "aria-label": "Requests" });
    this.pictured = make("span", { class: "tnbd-pictured" });
    this.zoom = make("button", { type: "button", class: "tnbd-zoom", "aria-pressed": "false",
      hidden: typeof chartLibrary === "undefined", title: "Show a chart to zoom in, in place of the pictures",
      onclick: () => this.toggleChart() }, "Chart");
    this.chartBox = make("div", { class: "tnbd-chart", hidden: true });
    this.price = make("div", { class: "tnbd-picture" });
    this.equity = make("div", { class: "tnbd-picture" });
    this.expected = make("div", { class: "tnbd-picture" });
    this.expectedBox = make("div", { hidden: true }, make("h4", {}, "Beside its backtest"), this.expected);
    this.pictures = make("section", { class: "tnbd-pictures", "aria-label": "Pictures" },
      this.stills = make("div", { class: "tnbd-stills" },
        make("div", {}, make("h4", {}, "Price ", this.pictured), this.price),
        make("div", {}, make("h4", {}, "Equity"), this.equity), this.expectedBox), this.chartBox, this.zoom);
    this.byRun = this.chooser("Run", "all runs");
    this.byKind = this.chooser("Kind", "all but milestones");
    this.byKind.select.append(make("option", { value: "all" }, "all kinds"));
    this.rowsOfOrders = make("tbody");
    const ofOrder = ["Sent, UTC", "Run", "Role", "Order", "State", "Filled", "Note"];
    this.ordersBox = make("section", { class: "tnbd-orders", "aria-label": "Orders", hidden: true },
      make("h4", {}, "Orders"),
      make("div", { class: "tnbd-scroll", tabindex: "0", role: "region",
        "aria-label": "Orders, those that live first" },
      make("table", { class: "tnbd-log" },
        make("thead", {}, make("tr", {}, ...ofOrder.map((name) => make("th", { scope: "col" }, name)))),
        this.rowsOfOrders)));
    this.rowsOfEvents = make("tbody");
    this.counted = make("span", { class: "tnbd-note" });
    const columns = ["Candle, UTC", "Run", "Event", "What"];
    this.eventsBox = make("section", { class: "tnbd-events", "aria-label": "Events" },
      make("div", { class: "tnbd-bar" }, make("h4", {}, "Events"), this.byRun.label,
        this.byKind.label, this.counted),
      make("div", { class: "tnbd-scroll", tabindex: "0", role: "region",
        "aria-label": "Events, newest first" },
      make("table", { class: "tnbd-log" },
        make("thead", {}, make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, name)))),
        this.rowsOfEvents)));
    this.root = make("div", { class: "tnbd", role: "region", "aria-label": "Dashboard of live runs",
      "data-lm-suppress-shortcuts": "true" },   // else Jupyter takes Enter and Space for itself
      make("div", { class: "tnbd-head" }, make("span", { class: "tnbd-said" }, this.dot, this.words), this.fresh,
        make("span", { class: "tnbd-all" }, this.stopAll, this.flattenAll, this.kill), this.home),
      this.accounts, this.alarms, this.doubts,
      make("div", { class: "tnbd-wide" }, this.table), this.empty, this.more, this.wayRound, this.notes,
      this.ordersBox, this.pictures, this.eventsBox);
    const fallback = this.model.get("fallback");   // the picture for where this view is not
    if (fallback) this.root.append(make("style", {}, `[data-tnb-fallback="${fallback}"] { display: none; }`));
    el.replaceChildren(this.root);
  }

  chooser(name, all) {
    const select = make("select", { onchange: () => this.showEvents() },
      make("option", { value: "" }, all));
    return { select, label: make("label", {}, `${name} `, select), known: new Set() };
  }

  // A button that asks once more before it acts; the question goes away by itself.
  confirmed(text, question, title, act) {
    let timer = 0;
    const back = () => {
      clearTimeout(timer);
      timer = 0;
      button.textContent = text;
      button.classList.remove("tnbd-sure");
    };
    const button = make("button", { type: "button", title, "aria-label": title, onclick: () => {
      if (timer) {
        back();
        act();
        return;
      }
      const asked = typeof question === "function" ? question() : question;
      if (!asked) return;
      button.textContent = asked;
      button.classList.add("tnbd-sure");
      timer = setTimeout(back, CONFIRM_MS);
    } }, text);
    button.calm = back;
    return button;
  }

  frozen() {
    return this.model.get("frozen");
  }

  running() {
    return this.model.get("rows").filter((row) => row.running);
  }

  // --- what the kernel sends ---

  onBeat() {
    const beat = this.model.get("beat");
    const now = Date.now();
    if (beat) this.offset = beat - now;
    this.lastMessage = now;
    this.tick();
  }

  // The kernel draws the pictures as wide as they are shown, so that words keep their size.
  sendWidth() {
    clearTimeout(this.widthTimer);
    this.widthTimer = setTimeout(() => {
      const width = Math.floor(this.price.clientWidth / STEP_PX) * STEP_PX;
      if (this.frozen() || !width || width === this.model.get("width")) return;
      this.model.set("width", width);
      this.model.save_changes();
    }, 300);
  }

  onMessage(message) {
    this.lastMessage = Date.now();
    if (message.type === "append") this.append(message);
    if (message.type === "events") this.allEvents(message);
    if (message.type === "chart") this.drawChart(message);
    if (message.type === "accepted") this.waiting.get(message.id)?.(message);
  }

  ping() {
    this.model.send({ type: "ping" });
  }

  allEvents({ total, rows }) {
    this.events = [...(rows ?? [])];
    this.total = Math.max(total ?? 0, this.events.at(-1)?.[0] ?? 0);
    this.showEvents();
  }

  append({ after, total, rows }) {
    if (after > this.total) {
      this.model.send({ type: "events" });   // a message was lost on the way
      return;
    }
    const fresh = rows.filter((row) => row[0] > this.total);
    // An error that came again takes the place of its earlier row.
    const again = new Set(fresh.filter((row) => row[6] > 1).map(sameError));
    const earlier = again.size ? this.events.filter((row) => !again.has(sameError(row))) : this.events;
    this.events = [...earlier, ...fresh].slice(-MOST_EVENTS);
    this.total = Math.max(total, this.total);
    this.showEvents(again.size ? null : fresh);
  }

  // --- rows ---

  showRows() {
    this.lastMessage = Date.now();
    const rows = this.model.get("rows");
    const kept = new Set(rows.map((row) => row.key));
    for (const [key, line] of this.lines) {
      if (kept.has(key)) continue;
      line.node.remove();
      this.lines.delete(key);
    }
    rows.forEach((row, place) => {
      if (!this.lines.has(row.key)) this.lines.set(row.key, this.newLine(row));
      const line = this.lines.get(row.key);
      this.showRow(line, row);
      if (this.body.children[place] !== line.node) {
        this.body.insertBefore(line.node, this.body.children[place] ?? null);
      }
    });
    const more = this.model.get("more");
    say(this.more, more ? `${more} more are not shown` : "");
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    this.pictures.hidden = rows.length === 0;
    this.eventsBox.hidden = rows.length === 0 && this.events.length === 0;
    this.stopAll.hidden = rows.length === 0;
    this.stopAll.disabled = this.frozen() || this.running().length === 0;
    this.flattenAll.hidden = rows.length === 0;
    this.flattenAll.disabled = this.frozen() ||
      !this.running().some((row) => row.position && !row.scheduled);
    this.showAlarms(rows);
    this.sayWayRound(rows);
    for (const row of rows) this.offer(this.byRun, row.key, `${row.strategy} on ${row.symbol}`);
    this.tick();
  }

  // Where no file can be left through the server, a button waits for a busy kernel: said before.
  async sayWayRound(rows) {
    const asked = rows.filter((row) => row.running && row.control);
    const folders = await Promise.all(asked.map((row) =>
      findHome(row.control.home, this.model.get("homes")[row.control.home])));
    const waits = (place) => !this.model.direct && !this.frozen() && !folders[place];
    asked.forEach((row, place) => this.nameCommands(row, waits(place)));
    const row = asked.find((_, place) => waits(place));
    this.wayRound.hidden = !row;
    say(this.wayRound, row ? "While a cell is busy, these buttons may wait for its end. In a " +
      `terminal, this does not wait: ${command("stop", row)}` : "");
  }

  nameCommands(row, waits) {
    const line = this.lines.get(row.key);
    for (const kind of line ? BUTTONS : []) {
      const node = line[kind];
      node.dataset.does ??= node.title;
      node.title = node.dataset.does + (waits ? ". While a cell is busy this waits for its end; " +
        `in a terminal, this does not: ${command(kind, row)}` : "");
    }
  }

  newLine(row) {
    const name = `${row.strategy} on ${row.symbol}`;
    const line = { key: row.key };
    line.pick = make("button", { type: "button", class: "tnbd-pick",
      title: `Draw ${name}`, onclick: () => this.choose(row.key) });
    line.badges = make("span", { class: "tnbd-badges" });
    line.status = make("span", { class: "tnbd-status" });
    line.pending = make("div", { class: "tnbd-pending" });
    line.position = make("td", { class: "tnbd-position" });
    line.fill = make("span", { class: "tnbd-fill" });
    line.bar = make("div", { class: "tnbd-progress", role: "meter", "aria-valuemin": "-100",
      "aria-valuemax": "100", "aria-label": `Way of ${name} to its stop or target, percent` },
    line.fill);
    line.stopAt = make("span", {});
    line.entryAt = make("span", {});
    line.targetAt = make("span", {});
    line.levels = make("div", { class: "tnbd-levels" }, line.stopAt, line.entryAt, line.targetAt);
    line.parts = make("div", { class: "tnbd-parts" });
    line.shields = make("div", { class: "tnbd-shields" });
    line.price = make("span", {});
    line.asOf = make("span", { class: "tnbd-as-of" });
    line.pnl = make("td", { class: "tnbd-number tnbd-pnl" });
    line.age = make("td", { class: "tnbd-number tnbd-age" });
    line.stop = make("button", { type: "button", title: `Stop ${name}: no new signals, an open ` +
      "position is followed to its close", "aria-label": `Stop ${name}`,
    onclick: () => this.request("stop", this.row(row.key)) }, "Stop");
    line.flatten = this.confirmed("Flatten", "Close now?",
      `Flatten ${name}: close its position at the next candle`,
      () => this.request("flatten", this.row(row.key)));
    line.cancel = make("button", { type: "button", "aria-label": `Cancel the entry of ${name}`,
      title: `Cancel the entry of ${name} that waits; the run goes on`,
      onclick: () => this.request("cancel", this.row(row.key)) }, "Cancel");
    line.close = this.opens(line, "Close part", `Close a part of ${name} at the next candle`);
    line.move = this.opens(line, "Move", `Move the stop or the target of ${name} at the next candle`);
    line.closeForm = this.closeForm(line, name);
    line.moveForm = this.moveForm(line, name);
    line.release = this.confirmed("Release", "Leave unwatched?", `Release ${name}: the process leaves ` +
      "it, its position is kept on disk, and nothing watches it until it is resumed",
    () => this.request("release", this.row(row.key)));
    line.resume = make("button", { type: "button", "aria-label": `Resume ${name}`, class: "tnbd-go",
      title: `Resume ${name}: go on with its position`,
      onclick: () => this.request("resume", this.row(row.key)) }, "Resume");
    line.node = make("tr", { "data-run": row.key },
      make("th", { scope: "row" }, make("div", { class: "tnbd-who" }, line.pick, line.badges)),
      make("td", { class: "tnbd-state" }, line.status, line.pending), line.position,
      make("td", { class: "tnbd-way" }, line.bar, line.levels, line.parts, line.shields),
      make("td", { class: "tnbd-number tnbd-price" }, line.price, line.asOf), line.pnl, line.age,
      make("td", { class: "tnbd-actions" }, make("div", {}, line.resume, line.stop, line.close,
        line.move, line.flatten, line.cancel, line.release), line.closeForm, line.moveForm));
    line.pick.append(make("b", {}, row.symbol), make("span", {}, row.strategy));
    return line;
  }

  // A button that opens the form beside it, and closes it again.
  opens(line, text, title) {
    const button = make("button", { type: "button", title, "aria-label": title, "aria-expanded": "false",
      onclick: () => this.openForm(line, button.getAttribute("aria-expanded") === "true" ? null : button) },
    text);
    return button;
  }

  openForm(line, button) {
    for (const [one, form] of [[line.close, line.closeForm], [line.move, line.moveForm]]) {
      one.setAttribute("aria-expanded", String(one === button));
      form.hidden = one !== button;
    }
    say(line.moveHint, this.row(line.key) ? this.moveWords(line) : "");
    if (button === line.move) line.stopTo.focus();
    if (button === line.close) line.part.focus();
  }

  closeForm(line, name) {
    line.part = make("select", { "aria-label": `How much of ${name} to close`, onchange: () => act.calm() },
      ...FRACTIONS.map(([value, text]) => make("option", { value, selected: value === "0.5" }, text)));
    const words = () => FRACTIONS.find(([value]) => value === line.part.value)[1];
    const act = this.confirmed("Close it", () => `Close ${words()} now?`,
      `Close this part of ${name} at the next candle`, () => {
        this.openForm(line, null);
        this.request("close", this.row(line.key), null, { fraction: Number(line.part.value) });
      });
    return make("div", { class: "tnbd-form", hidden: true },
      make("label", {}, line.part, " of what is open"), act);
  }

  moveForm(line, name) {
    const field = (label) => make("input", { type: "text", inputmode: "decimal", size: "9",
      "aria-label": `${label} of ${name}`, oninput: () => act.calm() });
    line.stopTo = field("New stop");
    line.targetTo = field("New target");
    line.moveHint = make("span", { class: "tnbd-hint", role: "status" });
    const question = () => {
      const values = this.levelsOf(line);
      const said = values && [["stop", values.stop_loss], ["target", values.take_profit]]
        .filter(([, price]) => price).map(([what, price]) => `${what} ${price}`);
      say(line.moveHint, said ? this.moveWords(line) : "a stop or a target is a number above 0");
      return said && `Move to ${said.join(", ")}?`;
    };
    const act = this.confirmed("Move it", question, `Move the levels of ${name} at the next candle`, () => {
      const values = this.levelsOf(line);
      this.openForm(line, null);
      this.request("move", this.row(line.key), null, values);
    });
    return make("div", { class: "tnbd-form", hidden: true }, make("label", {}, "stop ", line.stopTo),
      make("label", {}, "target ", line.targetTo), act, line.moveHint);
  }

  // What a form says: numbers above 0, at least one of them; else null.
  levelsOf(line) {
    const given = [["stop_loss", line.stopTo.value], ["take_profit", line.targetTo.value]]
      .map(([name, text]) => [name, text.replaceAll(",", "").trim()]).filter(([, text]) => text)
      .map(([name, text]) => [name, Number(text)]);
    return given.length && given.every(([, price]) => price > 0 && Number.isFinite(price))
      ? Object.fromEntries(given) : null;
  }

  moveWords(line) {
    const ladder = this.row(line.key)?.ladder ? "; one target takes the place of all that are left" : "";
    return `the stop only comes closer${ladder}`;
  }

  showRow(line, row) {
    const drawn = this.model.get("pictures").key === row.key;
    line.pick.setAttribute("aria-pressed", String(drawn));
    line.node.className = drawn ? "tnbd-drawn" : "";
    const badges = [row.mode === "rehearsal" && "rehearsal", row.stale && "old code",
      !row.saved && "unsaved", row.held_by && "elsewhere", row.reads && `reads ${row.reads}`]
      .filter(Boolean);
    if (line.badges.dataset.words !== badges.join()) {
      line.badges.dataset.words = badges.join();
      line.badges.replaceChildren(...badges.map((text) =>
        make("span", { class: `tnbd-badge${text === "unsaved" ? " tnbd-warn" : ""}`,
          title: text === "elsewhere" ? row.held_by : text.startsWith("reads") ? text : row.doubt }, text)));
    }
    line.node.dataset.signal = row.signal;
    line.node.dataset.tick = row.tick_ms ?? 0;
    say(line.status, row.status);
    line.status.dataset.status = row.unwatched ? "unwatched" : row.status;
    this.showPending(line, row);
    line.status.title = row.trouble || row.doubt;
    say(line.position, row.position + (row.scheduled ? ` waits at ${row.entry}` : ""));
    line.position.title = row.since && `since ${row.since}`;
    this.showWay(line, row);
    this.showShields(line, row.shields ?? []);
    say(line.price, row.price);
    line.price.title = row.as_of ? `as of ${row.as_of}` : row.cursor && `candle of ${row.cursor}`;
    say(line.asOf, row.as_of.replace(" UTC", ""));
    say(line.pnl, row.pnl);
    line.pnl.className = `tnbd-number tnbd-${row.tone}`;
    const stopping = row.status === "stopping" || row.pending.some(({ kind }) => kind === "stop");
    const open = row.position && !row.scheduled;
    line.stop.hidden = line.release.hidden = !row.running;
    line.flatten.hidden = !row.running || row.scheduled;
    line.cancel.hidden = !row.running || !row.scheduled;
    line.close.hidden = line.move.hidden = !row.running || !open;
    line.close.disabled = line.move.disabled = this.frozen();
    if (line.close.hidden || this.frozen() || line.signal !== row.signal) this.openForm(line, null);
    if (line.signal !== row.signal) line.stopTo.value = line.targetTo.value = "";
    line.signal = row.signal;
    line.stopTo.placeholder = row.stop;
    line.targetTo.placeholder = row.target === "N/A" ? "none" : row.target;
    line.resume.hidden = !row.resume;
    line.stop.disabled = this.frozen() || stopping;
    line.flatten.disabled = this.frozen() || !open || row.pending.some(({ kind }) => kind === "flatten");
    line.cancel.disabled = this.frozen() || row.pending.some(({ kind }) => kind === "cancel");
    line.release.disabled = line.resume.disabled = this.frozen();
    line.tick = row.running && !this.frozen() ? row.tick_ms : null;
  }

  // What was asked for and has not acted yet, with a way to take it back.
  showPending(line, row) {
    const shown = JSON.stringify([row.pending.map(({ id }) => id), row.status, this.frozen()]);
    if (line.pendingShown !== shown) {
      line.pendingShown = shown;
      line.countdowns = [];
      line.pending.replaceChildren(...row.pending.map((each) => {
        const words = make("span", {});
        line.countdowns.push([words, each.id]);
        const back = make("button", { type: "button", class: "tnbd-back", disabled: this.frozen(),
          "aria-label": `Take back: ${each.what}`, title: `Take it back before it acts: ${each.what}`,
          onclick: () => this.request("withdraw", this.row(row.key), each.id) }, BACK[each.kind]);
        return make("div", {}, words, back);
      }));
    }
    line.waiting = row.pending;
    line.isStopping = row.status === "stopping";
  }

  countDown(line, now) {
    for (const [node, id] of line.countdowns ?? []) {
      const each = line.waiting.find((one) => one.id === id);
      if (each) say(node, each.kind === "stop" && line.isStopping ? "" : pendingWords(each, now));
    }
  }

  // What protects a position at the exchange, and which of its orders are in doubt.
  showShields(line, shields) {
    const shown = JSON.stringify(shields);
    if (line.shielded === shown) return;
    line.shielded = shown;
    line.lasting = [];
    line.shields.replaceChildren(...shields.map(({ level, words, since }) => {
      const age = make("span", {});
      if (since) line.lasting.push([age, since]);
      return make("div", { "data-level": level }, words, age);
    }));
  }

  // A banner for each account, and the table of orders; both only while runs send orders.
  showOrders() {
    const { accounts = [], rows = [] } = this.model.get("orders") ?? {};
    this.kill.hidden = accounts.length === 0;
    this.kill.disabled = this.frozen() || this.killed().length === 0;
    this.ordersBox.hidden = rows.length === 0;
    this.checks = [];
    this.accounts.replaceChildren(...accounts.map((each) => {
      const checked = make("span", {}, each.checked ? "" : "not reconciled yet");
      if (each.checked) this.checks.push([checked, each.checked]);
      return make("div", { class: "tnbd-account", "data-level": each.level, "data-mode": each.mode },
        make("b", { class: "tnbd-mode" }, each.mode === "live" ? "LIVE, real money" : each.mode),
        make("span", { class: "tnbd-permission" }, each.state),
        ...each.used.map((text) => make("span", {}, text)),
        make("span", {}, each.balance && `balance ${each.balance}`), checked,
        make("span", { class: "tnbd-name" }, each.name));
    }));
    this.doubtful = [];
    const today = `${new Date().toISOString().slice(0, 10)} `;
    this.rowsOfOrders.replaceChildren(...rows.map((each) => {
      const age = make("span", {});
      if (each.since) this.doubtful.push([age, each.since]);
      return make("tr", { "data-level": each.level, title: each.id },
        make("td", { class: "tnbd-when", title: each.sent }, each.sent.replace(today, "")),
        make("td", {}, each.run),
        make("td", { class: "tnbd-kind" }, each.role), make("td", {}, each.order),
        make("td", { class: "tnbd-order-state" }, each.state, age), make("td", {}, each.filled),
        make("td", {}, each.note));
    }));
    this.tick();
  }

  // A run of each home whose kill switch is off: the switch is one for a home.
  killed() {
    const { accounts = [] } = this.model.get("orders") ?? {};
    const homes = new Set(accounts.filter(({ killed }) => !killed).map(({ home }) => home));
    const found = new Map();
    for (const row of this.model.get("rows")) {
      if (homes.has(row.home) && !(found.get(row.home)?.running)) found.set(row.home, row);
    }
    return [...found.values()];
  }

  showWay(line, row) {
    const way = row.progress;
    line.bar.hidden = !row.position || row.scheduled;
    line.levels.hidden = !row.position;
    say(line.stopAt, row.stop);
    say(line.entryAt, row.entry);
    say(line.targetAt, row.target);
    say(line.parts, [row.parts, row.outlook].filter(Boolean).join(" · "));
    const shown = way ?? 0;
    line.bar.setAttribute("aria-valuenow", String(shown));
    line.bar.setAttribute("aria-valuetext",
      `${Math.abs(shown).toFixed(0)} percent of the way to the ${shown < 0 ? "stop" : "target"}`);
    line.fill.style.left = `${shown < 0 ? 50 + shown / 2 : 50}%`;
    line.fill.style.width = `${Math.abs(shown) / 2}%`;
    line.fill.className = `tnbd-fill tnbd-fill-${shown < 0 ? "down" : "up"}`;
  }

  row(key) {
    return this.model.get("rows").find((row) => row.key === key);
  }

  choose(key) {
    this.model.set("chosen", key);
    this.model.save_changes();
  }

  showAlarms(rows) {
    const bad = rows.filter((row) => (row.running || row.unwatched) && row.trouble);
    // Amber: what goes on although something is not as it should be.
    const amber = rows.flatMap((row) => [row.unwatched ? "" : row.doubt, ...row.warnings]
      .filter(Boolean).map((text) => [row, text]));
    const words = JSON.stringify([bad.map((row) => [row.key, row.trouble, row.alarms, row.trace]),
      amber.map(([row, text]) => [row.key, text])]);
    if (words === this.alarmed) return;
    this.alarmed = words;
    this.doubts.replaceChildren(...amber.map(([row, text]) =>
      make("p", {}, make("b", {}, `${row.strategy} on ${row.symbol}: `), text)));
    this.alarms.replaceChildren(...bad.flatMap((row) => {
      const said = (text) => make("p", {}, make("b", {}, `${row.strategy} on ${row.symbol}: `), text);
      const more = (row.alarms ?? []).map(said);
      if (!row.trace) return [said(row.trouble), ...more];
      return [make("div", {}, said(row.trouble),
        make("details", {}, make("summary", {}, "traceback"), make("pre", {}, row.trace))), ...more];
    }));
  }

  // --- health, times, pictures, events ---

  showHealth() {
    const { level, words, lateness, home } = this.model.get("health");
    say(this.home, home ? `home ${home}` : "");
    this.home.title = "The folder that the state of these runs is under";
    this.dot.dataset.level = level;
    say(this.words, [...words, lateness].filter(Boolean).join(" · "));
  }

  tick() {
    const now = Date.now();
    const silent = this.frozen() ? 0 : now - this.lastMessage;
    const skew = Math.abs(this.offset) > 5000
      ? ` · the kernel's clock is ${ago(Math.abs(this.offset))} ` +
        `${this.offset > 0 ? "ahead of" : "behind"} yours` : "";
    say(this.fresh, silent > SILENT_MS
      ? `no data for ${ago(silent)}: ${this.model.silence ?? "the kernel was restarted, or the " +
        "connection is gone. Run the cell again; the runs may still be going on."}` : this.frozen() ? "a picture of one moment"
        : skew || this.model.from || "");
    this.root.classList.toggle("tnbd-silent", silent > SILENT_MS);
    for (const line of this.lines.values()) {
      say(line.age, line.tick ? ago(now + this.offset - line.tick) : "");
      this.countDown(line, now + this.offset);
      for (const [node, since] of line.lasting ?? []) say(node, ` (${ago(now + this.offset - since)})`);
    }
    for (const [node, since] of this.doubtful ?? []) say(node, ` for ${ago(now + this.offset - since)}`);
    for (const [node, at] of this.checks ?? []) say(node, `reconciled ${ago(now + this.offset - at)} ago`);
  }

  showPictures() {
    const { key = "", price = "", equity = "", expected = "" } = this.model.get("pictures");
    const row = this.row(key);
    say(this.pictured, row ? `${row.strategy} on ${row.symbol}` : "");
    if (price) this.price.innerHTML = price;   // made by the kernel, words in it escaped
    else say(this.price, "No candles of this run yet.");
    this.equity.innerHTML = equity;
    this.expected.innerHTML = expected;
    this.expectedBox.hidden = !expected;
    if (!this.chartBox.hidden) this.model.send({ type: "chart" });
    for (const line of this.lines.values()) {
      const drawn = line.key === key;
      line.node.className = drawn ? "tnbd-drawn" : "";
      line.pick.setAttribute("aria-pressed", String(drawn));
    }
  }

  // --- the chart, in place of the pictures; the kernel sends it anew as they change ---

  toggleChart() {
    const open = this.chartBox.hidden;
    this.chartBox.hidden = !open;
    this.stills.hidden = open;
    this.zoom.setAttribute("aria-pressed", String(open));
    say(this.zoom, open ? "Pictures" : "Chart");
    if (open) this.model.send({ type: "chart" });
    else this.closeChart();
  }

  closeChart() {
    this.chart?.close();
    this.chart = this.charted = null;
  }

  async drawChart({ key, data }) {
    if (this.chartBox.hidden) return;
    try {
      if (!data) throw new Error("nothing is known of this run yet");
      const plotly = await chartLibrary(this.model);
      if (this.chartBox.hidden) return;
      if (this.chart && this.charted === key) {
        await this.chart.update(JSON.parse(data));
        return;
      }
      this.closeChart();
      this.charted = key;
      this.chart = tradenbChart(this.chartBox, JSON.parse(data), plotly);
      await this.chart.ready;
    } catch (error) {
      this.closeChart();
      say(this.chartBox, `No chart: ${error.message}.`);
    }
  }

  offer(chooser, value, text) {
    if (chooser.known.has(value) || chooser.known.size > 200) return;
    chooser.known.add(value);
    chooser.select.append(make("option", { value }, text));
  }

  isWanted(row) {
    const run = this.byRun.select.value;
    const kind = this.byKind.select.value;
    const isKind = kind === "all" || (kind ? row[3] === kind : row[3] !== "milestone");
    return (!run || row[1] === run) && isKind;
  }

  // Newest first. New rows are put on top; the others, and the place one has scrolled to, stay.
  showEvents(fresh = null) {
    for (const row of fresh ?? this.events) this.offer(this.byKind, row[3], row[3]);
    const wanted = (fresh ?? this.events).filter((row) => this.isWanted(row));
    const nodes = wanted.map((row) => this.eventLine(row)).reverse();
    if (fresh === null) this.rowsOfEvents.replaceChildren(...nodes);
    else this.rowsOfEvents.prepend(...nodes);
    while (this.rowsOfEvents.children.length > MOST_EVENTS) this.rowsOfEvents.lastChild.remove();
    const shown = this.rowsOfEvents.children.length;
    say(this.counted, this.total > shown ? `${shown} of ${this.total}` : `${shown}`);
    this.eventsBox.hidden = this.events.length === 0 && this.lines.size === 0;
  }

  eventLine([number, key, when, kind, words, tone, times, since]) {
    const from = since.slice(0, 10) === when.slice(0, 10) ? since.slice(11) : since;
    const counted = times > 1 ? [make("b", {}, ` x${times} since ${from}`)] : [];
    const row = this.row(key);
    const [, symbol, ...strategy] = key.split(":");
    const name = row ? `${row.strategy} on ${row.symbol}` : `${strategy.join(":")} on ${symbol}`;
    return make("tr", { "data-kind": kind, "data-number": number },
      make("td", { class: "tnbd-when" }, when), make("td", {}, name),
      make("td", { class: "tnbd-kind" }, kind), make("td", { class: `tnbd-${tone}` }, words, ...counted));
  }

  // --- requests ---

  note(id, text, state) {
    let node = this.notes.querySelector(`[data-id="${id}"]`);
    if (!node) {
      node = make("li", { "data-id": id });
      this.notes.prepend(node);
      while (this.notes.children.length > 4) this.notes.lastChild.remove();
    }
    node.dataset.state = state;
    say(node, text);
  }

  async request(kind, row, meant = null, values = null) {
    if (!row) return;
    const id = newId();
    const name = kind === "kill" ? "Kill switch" : `${VERBS[kind]} ${row.strategy} on ${row.symbol}`;
    const wall = Math.round(Date.now() + this.offset);
    this.note(id, `${name}: requested`, "requested");
    const answered = new Promise((resolve) => this.waiting.set(id, resolve));
    this.model.send({ type: "request", id, wall, kind, key: row.key, request_id: meant, values });
    answered.then((reply) => this.onAccepted(id, name, reply));
    const patience = kind === "resume" ? RESUME_MS : ANSWER_MS;
    const timeout = new Promise((resolve) => setTimeout(resolve, patience, null));
    if (await Promise.race([answered, timeout])) return;
    if (kind === "resume") {   // no run is there that could read a file
      this.note(id, `${name}: starting, or the kernel is busy; from a terminal: ${command(kind, row)}`,
        "requested");
      return;
    }
    await this.leaveFile(id, name, kind, row, wall, meant, values);
  }

  onAccepted(id, name, { channel, words }) {
    this.waiting.delete(id);
    if (channel === "kernel") this.note(id, `${name}: ${words || (this.model.direct ? "accepted" : "accepted by the kernel")}`, "kernel");
    if (channel === "none") this.note(id, `${name}: not accepted: ${words}`, "none");
  }

  async leaveFile(id, name, kind, row, wall, meant, values) {
    const where = row.control;
    const folder = where && await findHome(where.home, this.model.get("homes")[where.home]);
    if (!folder) {
      if (this.waiting.has(id)) {
        this.note(id, `${name}: the kernel is busy and will accept it when its cell ends; ` +
          atOnce(kind, row, values), "requested");
      }
      return;
    }
    try {
      if (kind === "kill") {
        await turnOnKill(folder);
        this.note(id, "Kill switch: on, through the server; all runs under this home obey it", "server");
        return;
      }
      const request = { id, wall, kind, strategy: row.strategy_name, symbol: row.symbol_name,
        signal_id: null, cancel_id: null, request_id: meant, values };
      const path = await leave(`${folder}/data/control/${where.folder}`, request);
      this.note(id, `${name}: left with the server, the kernel is busy`, "left");
      await this.untilAccepted(id, name, row.key, path);
    } catch (error) {
      if (!this.waiting.has(id)) return;
      this.note(id, `${name}: waits for the kernel, because ${error.message}; ` +
        atOnce(kind, row, values), "requested");
    }
  }

  async untilAccepted(id, name, key, path) {
    while (await isThere(path)) {
      if (!this.row(key)?.running) {
        await contents(path, "DELETE");
        this.note(id, `${name}: withdrawn, the run has ended`, "none");
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    this.note(id, `${name}: accepted by the run, through the server while the kernel was busy`, "server");
  }
}

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
