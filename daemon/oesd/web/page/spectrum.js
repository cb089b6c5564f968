// One spectrum: the trace with baseline, names and marks, what is laid over it, and a zoom that stays while it is live.
import { axis, draw, layout, title, whenReady } from "/chart.js";
import { colourOf, ink, onTheme } from "/colours.js";
import { BAND_PX, Labels } from "/labels.js";
import { sketch } from "/sketch.js";
import { element, labelOf, plain, stage } from "/words.js";

const MARGIN = { l: 70, r: 14, t: BAND_PX, b: 44, pad: 0 };
const NEAR_PX = 14;
const FIRST = "first picture";

export class Spectrum {
  // tell: { peak(peak), zoom(share of the axis that is seen) }
  constructor(host, tell) {
    this.host = host;
    this.tell = tell;
    this.plot = element("div", "canvas");
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-label", "Spectrum: arrows move, plus and minus zoom, 0 shows all, n and p choose the next or previous peak");
    this.sheet = element("canvas", "sheet");
    host.append(this.sheet, this.plot);
    this.labels = new Labels(host, (peak) => tell.peak(peak));
    this.zoom = null;
    this.view = null;
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("click", (event) => this.click(event));
    this.plot.addEventListener("pointerdown", (event) => { this.down = [event.clientX, event.clientY]; });
    new ResizeObserver(() => this.later()).observe(host);
    onTheme(() => { this.labels.forget(); this.later(); });
    whenReady(() => this.later());
  }

  // view: { x, y, log, unit, peaks, chosen, dark, baseline, over: [{ name, x, y }], lines: [{ nm, strength, name }],
  //         missing: [{ nm, height, element }] }
  show(view) {
    this.view = view;
    this.later();
  }

  // At most once a frame, and never in a tab that is not seen.
  later() {
    if (this.waits || !this.view) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; this.paint(); });
  }

  // At first on a canvas, which takes no time; plotly follows and takes its place.
  paint() {
    if (!this.host.clientWidth || !this.view.x.length) return;
    if (!this.sheet) {
      if (draw(this.plot, () => this.picture())) this.name();
      return;
    }
    const { data, layout: laid } = this.picture();
    sketch(this.sheet, data, laid);
    this.host.classList.add("drawn");
    this.name();
    setTimeout(() => { seen(); this.plotly(); });
  }

  plotly() {
    if (!this.sheet || !draw(this.plot, () => this.picture(), { plotly_relayout: (change) => this.zoomed(change) })) return;
    this.sheet.remove();
    this.sheet = null;
    this.name();
  }

  picture() {
    return { data: this.traces(), layout: this.layout() };
  }

  name() {
    const [low, high] = this.range();
    const frame = { left: MARGIN.l, right: this.plot.clientWidth - MARGIN.r };
    this.atX = (nm) => frame.left + (nm - low) / (high - low) * (frame.right - frame.left);
    this.labels.draw(this.view.peaks, frame, this.atX, this.view.chosen);
  }

  range() {
    const { x } = this.view;
    return this.zoom ?? [x[0], x[x.length - 1]];
  }

  zoomed(change) {
    const low = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0], high = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
    if (change["xaxis.autorange"]) this.zoom = null;
    else if (low !== undefined) this.zoom = [Number(low), Number(high)];
    if (change["yaxis.range[0]"] !== undefined) this.zoomY = [change["yaxis.range[0]"], change["yaxis.range[1]"]];
    const { x } = this.view, all = x[x.length - 1] - x[0];
    if (this.zoom && this.zoom[1] - this.zoom[0] > 0.999 * all) this.all();
    else this.told();
  }

  told() {
    const { x } = this.view, [low, high] = this.range();
    this.tell.zoom?.((high - low) / (x[x.length - 1] - x[0]));
    this.later();
  }

  all() {
    this.zoom = this.zoomY = null;
    this.told();
  }

  look(low, high) {
    const { x } = this.view, first = x[0], last = x[x.length - 1];
    const wide = Math.min(Math.max(high - low, 2), last - first);
    const start = Math.min(Math.max(low, first), last - wide);
    this.zoom = [start, start + wide];
    this.zoomY = null;
    this.told();
  }

  // factor < 1 looks closer, at the middle or at a wavelength.
  closer(factor, at = null) {
    const [low, high] = this.range(), middle = at ?? (low + high) / 2, half = (high - low) * factor / 2;
    const all = this.view.x[this.view.x.length - 1] - this.view.x[0];
    if (2 * half >= all) this.all(); else this.look(middle - half, middle + half);
  }

  aside(share) {
    const [low, high] = this.range(), by = (high - low) * share;
    this.look(low + by, high + by);
  }

  key(event) {
    const acts = {
      ArrowLeft: () => this.aside(-0.2), ArrowRight: () => this.aside(0.2), "+": () => this.closer(0.5), "=": () => this.closer(0.5),
      "-": () => this.closer(2), 0: () => this.all(), n: () => this.step(1), p: () => this.step(-1),
    };
    const act = acts[event.key];
    if (!act || !this.view || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  step(by) {
    const peaks = [...this.view.peaks].sort((a, b) => a.wavelength_nm - b.wavelength_nm);
    if (!peaks.length) return;
    const at = peaks.findIndex((peak) => peak.peak_id === this.view.chosen);
    this.tell.peak(peaks[at < 0 ? (by > 0 ? 0 : peaks.length - 1) : (at + by + peaks.length) % peaks.length], true);
  }

  // A press that did not drag, near a peak.
  click(event) {
    if (!this.view || !this.atX || !this.down) return;
    if (Math.hypot(event.clientX - this.down[0], event.clientY - this.down[1]) > 5) return;
    const px = event.clientX - this.plot.getBoundingClientRect().left;
    const near = this.view.peaks.map((peak) => [Math.abs(this.atX(peak.wavelength_nm) - px), peak]).sort((a, b) => a[0] - b[0])[0];
    if (near && near[0] < NEAR_PX) this.tell.peak(near[1]);
  }

  layout() {
    const { log, unit } = this.view;
    return layout({
      margin: MARGIN, uirevision: "kept", dragmode: "zoom",
      xaxis: axis({ range: this.range(), title: title("wavelength in air / nm"), hoverformat: ".2f", ticks: "outside", uirevision: String(this.zoom) }),
      yaxis: axis({ type: log ? "log" : "linear", range: this.zoomY ?? this.heights(), title: title(unit, 8), exponentformat: "none", dtick: log ? 1 : undefined, nticks: 7, uirevision: `${log} ${this.zoomY}` }),
      yaxis2: { overlaying: "y", range: [0, 1], fixedrange: true, visible: false },
    });
  }

  // The axis stands still while the light flickers: it grows at once, and shrinks only when it is far too tall.
  heights() {
    const { y, over, log } = this.view;
    const [low, high] = this.zoom ? extent(this.view.x, y, this.zoom) : extent(this.view.x, y, [-Infinity, Infinity]);
    let top = high;
    for (const one of over ?? []) top = Math.max(top, extent(one.x, one.y, this.range())[1]);
    if (!Number.isFinite(top)) top = 1;
    if (log) return [Math.log10(Math.max(1, top / 1e5)), Math.log10(Math.max(top * 1.6, 10))];
    const key = `${this.zoom} ${this.view.unit}`;
    const needed = Math.max(top, 1) * 1.05;
    if (this.topFor !== key || needed > this.top || needed < 0.6 * this.top) this.top = needed * 1.08;
    this.topFor = key;
    const floor = Math.min(0, low);
    return [Math.max(floor, -0.5 * this.top) * 1.1 - 0.02 * this.top, this.top];
  }

  traces() {
    const { x, y, dark, baseline, peaks, over, missing, chosen, log } = this.view;
    const line = (name, at, values, colour, width = 1.3, dash = "solid") => ({
      name: plain(name), x: at, y: log ? values.map((value) => (value > 0 ? value : null)) : values, type: "scatter", mode: "lines", connectgaps: false,
      line: { color: colour, width, dash, simplify: true }, hovertemplate: `%{x:.2f} nm, %{y:,.0f}<extra>${plain(name)}</extra>`,
    });
    const tops = peaks.map((peak) => this.topOf(peak));
    return [
      ...templates(this.view.bands ?? []),
      ...combs(this.view.lines ?? []),
      ...(over ?? []).map((one) => line(one.name, one.x, one.y, ink(one.name), 1.6, one.name === "reference" ? "dash" : "solid")),
      ...(dark ? [line("dark", x, dark, ink("quiet"), 1)] : []),
      line("counts", x, y, ink("trace")),
      ...(baseline ? [line("baseline", x, baseline, ink("base"), 1.6, "dash")] : []),
      {
        x: peaks.map((peak) => peak.wavelength_nm), y: tops, type: "scatter", mode: "markers", text: peaks.map((peak) => plain(labelOf(peak))),
        hovertemplate: "%{text} nm, %{y:,.0f} counts<extra>choose it</extra>",
        marker: { size: peaks.map((peak) => (peak.peak_id === chosen ? 13 : 7)), color: peaks.map((peak) => colourOf(peak.element)), line: { color: ink("sheet"), width: 1 } },
      },
      {
        x: (missing ?? []).map((one) => one.nm), y: (missing ?? []).map((one) => one.height + (baseline?.[nearest(x, one.nm)] ?? 0)), type: "scatter", mode: "markers",
        text: (missing ?? []).map((one) => plain(`${one.element} ${one.nm.toFixed(1)}`)), hovertemplate: "%{text} is expected here and missing<extra></extra>",
        marker: { symbol: "circle-open", size: 12, color: (missing ?? []).map((one) => colourOf(one.element)), line: { width: 2 } },
      },
    ];
  }

  topOf(peak) {
    const { x, y } = this.view, i = nearest(x, peak.wavelength_nm);
    const around = y.slice(Math.max(0, i - 1), i + 2).filter((value) => value !== null);
    return around.length ? Math.max(...around) : null;
  }
}

// Lines of elements, the stronger the taller (a cube root: ratios of thousands are still seen): one trace for each element, on an axis of its own.
function combs(lines) {
  const names = [...new Set(lines.map((one) => one.name))];
  return names.map((name) => {
    const of = lines.filter((one) => one.name === name), height = (one) => 0.04 + 0.92 * Math.cbrt(one.strength);
    return {
      name: plain(`lines of ${name}`), x: of.flatMap(({ nm }) => [nm, nm, null]), y: of.flatMap((one) => [0, height(one), null]), yaxis: "y2", type: "scatter", mode: "lines",
      text: of.flatMap((one) => ["", plain(`${name} ${stage(one.ionization)} ${one.nm.toFixed(2)}`), ""]), hovertemplate: "%{text} nm<extra>may lie here</extra>",
      line: { color: colourOf(name), width: 1.4, dash: "dot" },
    };
  });
}

// Bands of molecules as this spectrometer would show them, filled: one trace for each system, on the same axis as lines.
function templates(bands) {
  return bands.map(({ name, x, y }) => ({
    name: plain(`bands of ${name}`), x, y: y.map((value) => (value === null ? null : 0.92 * value)), yaxis: "y2", type: "scatter", mode: "lines", connectgaps: false,
    fill: "tozeroy", fillcolor: ink("haze"), line: { color: colourOf(name), width: 1.4, dash: "dot" }, hovertemplate: `%{x:.1f} nm<extra>${plain(name)} may shine here</extra>`,
  }));
}

// What the bench measures.
function seen() {
  if (!performance.getEntriesByName(FIRST).length) performance.mark(FIRST);
}

function extent(x, y, [from, to]) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < x.length; i++) {
    if (y[i] === null || x[i] < from || x[i] > to) continue;
    if (y[i] < low) low = y[i];
    if (y[i] > high) high = y[i];
  }
  return [Number.isFinite(low) ? low : 0, high];
}

export function nearest(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) high = middle; else low = middle;
  }
  return value - sorted[low] < sorted[high] - value ? low : high;
}
