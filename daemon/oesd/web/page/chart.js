// What all plots share: plotly with our colours, no network, no markup from outside. Plotly is five megabytes: it is
// fetched when the first plot is wanted, and what was wanted meanwhile is drawn when it is there.
import { ink, onTheme } from "/colours.js";

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false, scrollZoom: false };
const MISSING = "Plots need the package plotly beside the daemon: pip install plotly";
const charts = new Set();
const waiting = new Set();
const AGAIN_MS = 10000;   // a daemon that was being restarted gives it the next time
let script = null, failed = false;

const ready = () => typeof Plotly !== "undefined";

// tell() is called once when plotly is there.
export function whenReady(tell) {
  waiting.add(tell);
}

function fetchPlotly() {
  if (script) return;
  script = document.createElement("script");
  script.src = "/plotly.min.js";
  script.addEventListener("load", () => { performance.mark("plotly"); redraw(); waiting.forEach((tell) => tell()); waiting.clear(); });
  script.addEventListener("error", () => { failed = true; script.remove(); setTimeout(() => { script = null; }, AGAIN_MS); redraw(); });
  document.head.append(script);
}

export function axis(more = {}) {
  return {
    gridcolor: ink("grid"), zerolinecolor: ink("rule"), linecolor: ink("rule"), tickcolor: ink("rule"),
    tickfont: { color: ink("soft"), size: 13 }, showline: true, zeroline: false, ...more,
  };
}

export const title = (text, standoff = 6) => ({ text, standoff, font: { size: 13, color: ink("soft") } });

export function layout(more = {}) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: "system-ui, sans-serif", color: ink("ink"), size: 13 }, separators: ".\u202f",
    hoverlabel: { bgcolor: ink("sheet"), bordercolor: ink("rule"), font: { color: ink("ink"), size: 14 } }, ...more,
  };
}

// Draws or redraws; a chart that is out of sight waits until it is seen. A new theme draws all anew. hear: { event of plotly: take }.
export function draw(host, make, hear = {}) {
  host.make = make;
  host.hear ??= hear;
  charts.add(host);
  if (!ready()) {
    if (failed) host.dataset.trouble = MISSING;
    fetchPlotly();
    return null;
  }
  if (!host.offsetParent || !host.clientHeight) return null;
  const { data, layout: laid } = make();
  const drawn = Plotly.react(host, data, laid, CONFIG);
  // It was out of sight when the window changed.
  if (Math.abs(host._fullLayout.width - host.clientWidth) > 1) Plotly.Plots.resize(host);
  if (!host.hears) for (const [event, take] of Object.entries(host.hear)) host.on(event, take);
  host.hears = true;
  return drawn;
}

export function drop(host) {
  charts.delete(host);
  if (ready()) Plotly.purge(host);
}

// After a view has come into sight.
export const redraw = () => charts.forEach((host) => { if (host.make) draw(host, host.make); });
onTheme(redraw);
