// The model of a page of `tradenb dashboard`: values and messages come and go over one socket.

const AGAIN_MS = 2_000;     // between two tries to reach a server that has gone

class PageModel {
  constructor(controls) {
    this.values = null;
    this.listeners = new Map();
    this.changed = {};
    this.library = "plotly.js";   // served beside this page
    this.direct = true;      // no kernel is between this page and the runs
    this.from = controls ? "" : "read only";
    this.silence = "`tradenb dashboard` has ended, or the connection is gone. Start it again; the " +
      "runs may still be going on.";
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
    this.changed[name] = value;
    this.notify(`change:${name}`);
  }

  on(name, call) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), call]);
  }

  off(name, call) {
    this.listeners.set(name, (this.listeners.get(name) ?? []).filter((one) => one !== call));
  }

  save_changes() {
    for (const [name, value] of Object.entries(this.changed)) this.tell({ set: { [name]: value } });
    this.changed = {};
  }

  send(message) {
    this.tell({ message });
  }

  tell(given) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(given));
  }

  notify(name, ...values) {
    for (const call of this.listeners.get(name) ?? []) call(...values);
  }

  take({ begin, state, message }, show) {
    if (begin) {
      const chosen = this.values?.chosen;
      this.values = begin;
      show();
      if (chosen) {          // the server began anew: it does not know what was chosen here
        this.set("chosen", chosen);
        this.save_changes();
      }
    }
    if (!this.values) return;
    Object.assign(this.values, state);
    for (const name of Object.keys(state ?? {})) this.notify(`change:${name}`);
    if (message) this.notify("msg:custom", message);
  }

  connect(show) {
    const address = new URL("view", document.baseURI);
    address.protocol = "ws:";
    this.socket = new WebSocket(address);
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data), show);
    this.socket.onclose = () => setTimeout(() => this.connect(show), AGAIN_MS);
  }
}

const controls = document.body.dataset.control === "yes";
const place = document.getElementById("dashboard");
const model = new PageModel(controls);
let view = null;
model.connect(() => {
  view?.close();
  view = new View(model, place);
});
