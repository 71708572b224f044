// The widget of `result.plot()`. While it is shown, it hides the still picture beside it.

export default {
  async render({ model, el }) {
    const box = document.createElement("div");
    box.textContent = "The chart waits for the kernel.";
    el.replaceChildren(box);
    let plotly = null;
    do {
      plotly = await chartLibrary(model).catch((error) => { box.textContent = `${error.message}.`; });
    } while (!plotly && el.isConnected);
    if (!plotly) return undefined;
    const hide = document.createElement("style");
    hide.textContent = `[data-tnb-fallback="${model.get("fallback")}"] { display: none; }`;
    el.append(hide);
    const chart = tradenbChart(box, JSON.parse(model.get("data")), plotly);
    return () => chart.close();
  },
};
