// What all plots share: plotly with our colours, no network, no markup from outside.
import { ink, onTheme } from "/colours.js";

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false, scrollZoom: false };
const charts = new Set();

export const ready = () => typeof Plotly !== "undefined";

export function axis(more = {}) {
  return {
    gridcolor: ink("grid"), zerolinecolor: ink("rule"), linecolor: ink("rule"), tickcolor: ink("rule"),
    tickfont: { color: ink("soft"), size: 13 }, showline: true, zeroline: false, ...more,
  };
}

export function layout(more = {}) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: "system-ui, sans-serif", color: ink("ink"), size: 13 }, separators: ".\u202f",
    hoverlabel: { bgcolor: ink("sheet"), bordercolor: ink("rule"), font: { color: ink("ink"), size: 14 } }, ...more,
  };
}

// Draws or redraws; a chart that is out of sight waits until it is seen. A new theme draws all anew.
export function draw(host, make) {
  host.make = make;
  if (!charts.has(host)) charts.add(host);
  if (!ready()) {
    host.dataset.trouble = "Plots need the package plotly beside the daemon: pip install plotly";
    return null;
  }
  delete host.dataset.trouble;
  if (!host.offsetParent || !host.clientHeight) return null;
  const { data, layout: laid } = make();
  return Plotly.react(host, data, laid, CONFIG);
}

export function drop(host) {
  charts.delete(host);
  if (ready()) Plotly.purge(host);
}

// After a view has come into sight.
export const redraw = () => charts.forEach((host) => { if (host.make) draw(host, host.make); });
onTheme(redraw);
