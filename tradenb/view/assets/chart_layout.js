// Where the panes of a chart are, and how their axes look: one axis of time, the slider below.

const CHART_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif';
const CHART_SLIDER = 40;   // pixels
const CHART_LABELS = 60;
const CHART_GAP = 26;
const CHART_FLAT = [1e15, 2e15];   // where the line of the slider is not seen in the pane above it

// A range with room at both ends.
function roomy([low, high], share, least) {
  const room = Math.max(share * (high - low), least);
  return [low - room, high + room];
}

function chartLayout(chart, panes) {
  const { look, narrow, ranges, symbol, width } = chart;
  const inner = panes.reduce((sum, pane) => sum + pane.height + CHART_GAP, 0);
  const bottom = CHART_SLIDER + CHART_LABELS;
  const highest = ranges.y && priced(ranges.y[1], symbol.decimals);
  const widest = Math.max(6, highest?.length ?? 0);
  const axis = { gridcolor: look.grid, zeroline: false, fixedrange: true, tickfont: { size: narrow ? 10 : 11 } };
  const time = { type: "date", range: chart.view.map(moment), showgrid: false, zeroline: false, tickangle: 0,
    nticks: Math.max(3, Math.floor(width / 110)) };
  const found = {
    height: inner + bottom, width, autosize: false, showlegend: false, hovermode: "closest", dragmode: "zoom",
    bargap: 0, uirevision: "chart", paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 14 + widest * (narrow ? 5.8 : 6.4), r: 10, t: 0, b: bottom, pad: 0, autoexpand: false },
    font: { family: CHART_FONT, size: 12, color: look.text },
    hoverlabel: { bgcolor: "#2a3038", bordercolor: "#2a3038", align: "left",
      font: { color: "#f3f5f7", family: CHART_FONT } },
    xaxis: { ...time, anchor: panes.at(-1)?.axis, showticklabels: false, rangeslider: { visible: false } },
    xaxis2: { ...time, anchor: "y20", matches: "x", rangeslider: chartSlider(chart, CHART_SLIDER / inner) },
    yaxis20: { domain: [0, 0.0005], range: CHART_FLAT, visible: false, fixedrange: true },
    annotations: [], shapes: [],
  };
  let top = inner;
  for (const pane of panes) {
    top -= CHART_GAP;
    const domain = [Math.max(0, (top - pane.height) / inner), top / inner];
    found[`yaxis${pane.axis.slice(1)}`] = { ...axis, domain, nticks: Math.max(3, Math.floor(pane.height / 34)),
      ...paneStyle(pane.axis, ranges, look) };
    found.annotations.push({ xref: "paper", yref: "paper", x: 0, y: domain[1], xanchor: "left", yanchor: "bottom",
      text: inert(pane.title ?? symbol.name), showarrow: false, font: { size: 11, color: look.text } });
    found.shapes.push({ type: "line", xref: "paper", yref: "paper", x0: 0, x1: 1, y0: domain[0], y1: domain[0],
      line: { width: 1, color: look.grid } });
    top -= pane.height;
  }
  return found;
}

function chartSlider({ whole, slider, look }, thickness) {
  const range = spread(slider.y);
  return { visible: true, range: whole.map(moment), thickness, bgcolor: look.slider, borderwidth: 0,
    yaxis20: { rangemode: "fixed", range: roomy(range, 0.05, range[0] === range[1] ? 1 : 0) } };
}

function paneStyle(axis, ranges, look) {
  if (axis === "y") return { range: roomy(ranges.y, 0.07, ranges.y[1] * 1e-6), tickformat: ",~r" };
  if (axis === "y2") return { range: ranges.y2, tickformat: "~s", nticks: 3 };
  if (axis === "y3") {
    return { range: roomy(ranges.y3, 0.06, 0.01), zeroline: true, zerolinecolor: look.zero, separatethousands: true };
  }
  if (axis === "y4") return { autorangeoptions: { clipmax: 0 }, rangemode: "tozero", separatethousands: true };
  return { tickformat: ",~r" };
}
