// The library of charts comes from the kernel, or from the server of the page, once for a page: nothing
// is loaded from a network.

const CHART_PATIENCE = 15_000;

function askForLibrary(model) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      model.off("msg:custom", hear);
      reject(new Error("the kernel has not sent plotly.js; it may be busy or gone"));
    }, CHART_PATIENCE);
    async function hear(message, buffers) {
      if (message.type !== "library") return;
      clearTimeout(timer);
      model.off("msg:custom", hear);
      const stream = new Blob([buffers[0]]).stream().pipeThrough(new DecompressionStream("deflate"));
      const text = await new Response(stream).text();
      const module = { exports: {} };
      new Function("module", "exports", "define", text)(module, module.exports, undefined);
      resolve(module.exports.react ? module.exports : globalThis.Plotly);
    }
    model.on("msg:custom", hear);
    model.send({ type: "library" });
  });
}

function loadLibrary(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => reject(new Error(`${address} cannot be read`));
    script.src = address;
    document.head.append(script);
  });
}

async function chartLibrary(model) {
  globalThis.tradenbPlotly ??= await (model.library ? loadLibrary(model.library) : askForLibrary(model));
  return globalThis.tradenbPlotly;
}
