// Makes a dashboard of the static picture where the widget is missing: on a page that was loaded
// anew while a cell keeps the kernel busy. It reads the offline file that the kernel writes then, and
// rests while the widget is there (the picture is hidden then).

const FOLLOW_MS = 2_000;
const LONGEST_MS = 120_000;   // between two polls for a file that is not there

// What a view needs of a model, fed from a file; requests can only be left as files.
class OfflineModel {
  constructor(values) {
    this.values = values;
    this.listeners = new Map();
    this.from = "read from a file: the kernel is busy";
  }

  get(name) {
    return name === "beat" ? 0 : this.values[name];   // as old as the file: no clock to go by
  }

  set(name, value) {
    this.values[name] = value;
  }

  on(name, call) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), call]);
  }

  off(name, call) {
    this.listeners.set(name, (this.listeners.get(name) ?? []).filter((one) => one !== call));
  }

  save_changes() {}

  send() {}

  notify(name, ...values) {
    for (const call of this.listeners.get(name) ?? []) call(...values);
  }

  update(values) {
    if (values.beat === this.values.beat) return;
    const { events, ...before } = this.values;
    this.values = values;
    for (const name of ["rows", "more", "orders", "health", "pictures"]) {
      if (JSON.stringify(values[name]) !== JSON.stringify(before[name])) this.notify(`change:${name}`);
    }
    if (values.events.total !== events.total) {
      const first = values.events.rows[0]?.[0] ?? 1;
      const gap = first > events.total + 1;
      this.notify("msg:custom", gap ? { type: "events", ...values.events }
        : { type: "append", after: events.total, ...values.events });
    }
    this.notify("change:beat");
  }
}

async function readOfflineFile(path) {
  const answer = await contents(path, "GET", undefined, "?type=file&format=text&content=1");
  return answer.ok ? JSON.parse((await answer.json()).content) : null;
}

async function findOfflineFile(id, home, beside) {
  for (const folder of candidates(home, beside)) {
    const path = `${folder}/data/panel/${id}.json`;
    const values = await readOfflineFile(path);
    if (values) return { path, values };
  }
  return null;
}

// One picture on the page; JupyterLab replaces the element when the kernel sends another picture.
class Follower {
  constructor(box, { id, home, beside, style }) {
    this.box = box;
    this.where = [id, home, beside];
    this.style = style;
    this.picture = box.firstElementChild;
    this.path = null;
    this.model = null;
    this.view = null;
  }

  async poll() {
    const found = this.path ? { path: this.path, values: await readOfflineFile(this.path) }
      : await findOfflineFile(...this.where);
    if (!found?.values) return false;
    this.path = found.path;
    if (this.view) this.model.update(found.values);
    else this.show(found.values);
    return true;
  }

  show(values) {
    this.model = new OfflineModel(values);
    const place = make("div");
    this.view = new View(this.model, place);
    this.picture.hidden = true;
    // One level deeper than the view's own: Jupyter has rules for tables in pages.
    this.box.append(make("style", {}, `[data-tnb-fallback] { ${this.style} }`), place);
  }

  close() {
    if (!this.view) return;
    this.view.close();
    this.view = null;
    this.picture.hidden = false;
    this.box.replaceChildren(this.picture);
  }

  async run() {
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    let pause = FOLLOW_MS;
    await wait(FOLLOW_MS / 2);    // the widget has a moment to appear
    while (this.box.isConnected) {
      const hidden = getComputedStyle(this.box).display === "none";
      if (hidden) this.close();
      else if (this.box.offsetParent) {
        const found = await this.poll().catch(() => false);
        pause = found || this.path ? FOLLOW_MS : Math.min(2 * pause, LONGEST_MS);
      }
      await wait(hidden ? FOLLOW_MS : pause);
    }
    this.close();
  }
}

function follow(dashboard) {
  if (baseUrl() === null) return;
  for (const box of document.querySelectorAll(`[data-tnb-fallback="${dashboard.id}"]`)) {
    if (box.dataset.followed) continue;
    box.dataset.followed = "yes";
    new Follower(box, dashboard).run();
  }
}
