// Makes a dashboard of the picture beside a widget that is not there: of a page that was loaded
// anew while a cell keeps the kernel busy. It reads the sheet that the kernel leaves meanwhile, and
// rests while the widget is there (the picture is hidden then).

const FOLLOW_MS = 2_000;
const LONGEST_MS = 120_000;   // between two looks for a sheet that has not been there

// What a view needs of a model, fed from a file; requests can only be left as files.
class Sheet {
  constructor(told) {
    this.told = told;
    this.listeners = new Map();
    this.from = "read from a file: the kernel is busy";
  }

  get(name) {
    return name === "beat" ? 0 : this.told[name];   // as old as the file: no clock to go by
  }

  set(name, value) {
    this.told[name] = value;
  }

  on(name, call) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), call]);
  }

  off(name, call) {
    this.listeners.set(name, (this.listeners.get(name) ?? []).filter((one) => one !== call));
  }

  save_changes() {}

  send() {}

  tell(name, ...values) {
    for (const call of this.listeners.get(name) ?? []) call(...values);
  }

  take(told) {
    if (told.beat === this.told.beat) return;
    const { events, ...before } = this.told;
    this.told = told;
    for (const name of ["rows", "more", "health", "pictures"]) {
      if (JSON.stringify(told[name]) !== JSON.stringify(before[name])) this.tell(`change:${name}`);
    }
    if (told.events.total !== events.total) {
      const first = told.events.rows[0]?.[0] ?? 1;
      const gap = first > events.total + 1;
      this.tell("msg:custom", gap ? { type: "events", ...told.events }
        : { type: "append", after: events.total, ...told.events });
    }
    this.tell("change:beat");
  }
}

async function sheetAt(path) {
  const answer = await contents(path, "GET", undefined, "?type=file&format=text&content=1");
  return answer.ok ? JSON.parse((await answer.json()).content) : null;
}

async function findSheet(id, home, beside) {
  for (const folder of candidates(home, beside)) {
    const path = `${folder}/data/panel/${id}.json`;
    const told = await sheetAt(path);
    if (told) return { path, told };
  }
  return null;
}

// One picture on the page; JupyterLab replaces the element when the kernel sends another picture.
class Follower {
  constructor(box, { id, home, beside, style }) {
    this.box = box;
    this.where = [id, home, beside];
    this.style = style;
    this.still = box.firstElementChild;
    this.path = null;
    this.model = null;
    this.view = null;
  }

  async look() {
    const found = this.path ? { path: this.path, told: await sheetAt(this.path) }
      : await findSheet(...this.where);
    if (!found?.told) return false;
    this.path = found.path;
    if (this.view) this.model.take(found.told);
    else this.show(found.told);
    return true;
  }

  show(told) {
    this.model = new Sheet(told);
    const place = make("div");
    this.view = new View(this.model, place);
    this.still.hidden = true;
    // One level deeper than the view's own: Jupyter has rules for tables in pages.
    this.box.append(make("style", {}, `[data-tnb-still] { ${this.style} }`), place);
  }

  close() {
    if (!this.view) return;
    this.view.close();
    this.view = null;
    this.still.hidden = false;
    this.box.replaceChildren(this.still);
  }

  async run() {
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    let pause = FOLLOW_MS;
    await wait(FOLLOW_MS / 2);    // the widget has a moment to appear
    while (this.box.isConnected) {
      const hidden = getComputedStyle(this.box).display === "none";
      if (hidden) this.close();
      else if (this.box.offsetParent) {
        const found = await this.look().catch(() => false);
        pause = found || this.path ? FOLLOW_MS : Math.min(2 * pause, LONGEST_MS);
      }
      await wait(hidden ? FOLLOW_MS : pause);
    }
    this.close();
  }
}

function follow(told) {
  if (baseUrl() === null) return;
  for (const box of document.querySelectorAll(`[data-tnb-still="${told.id}"]`)) {
    if (box.dataset.followed) continue;
    box.dataset.followed = "yes";
    new Follower(box, told).run();
  }
}
