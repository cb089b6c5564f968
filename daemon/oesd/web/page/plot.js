// A spectrum as SVG: axes, trace, peak marks with labels that never overlap, a crosshair.
const SVG = "http://www.w3.org/2000/svg";
const LABEL_STEP = 12.5;   // px between two upright labels
const LABEL_BAND = 64;     // px above the trace that belong to the labels
const LABEL_SHIFT = 34;    // px a label may stand beside its peak

export function node(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

// Hues in order of first appearance: the first ten elements of a session are told apart, and each keeps its own.
const HUES = [342, 150, 28, 278, 180, 100, 310, 48, 5, 240];
const seen = new Map();
export function colourOf(element) {
  if (!element) return "var(--soft)";
  if (!seen.has(element)) seen.set(element, HUES[seen.size % HUES.length]);
  return `light-dark(hsl(${seen.get(element)} 75% 33%), hsl(${seen.get(element)} 75% 70%))`;
}

export function thousands(value) {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export class Plot {
  constructor(host, onHover, onClick) {
    this.host = host;
    this.svg = node("svg", { role: "img", "aria-label": "spectrum" });
    this.cross = node("g", { visibility: "hidden" });
    this.onHover = onHover;
    this.svg.addEventListener("click", () => { if (this.near) onClick(this.near); });
    this.readout = document.createElement("output");
    this.readout.className = "readout";
    this.readout.hidden = true;
    this.nothing = host.firstElementChild;
    host.append(this.svg, this.readout);
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
    new ResizeObserver(() => this.draw()).observe(host);
  }

  // view: { x, y, dark (or null), baseline (or null), missing: [{ nm, height, element }], peaks, unit, log }
  show(view) {
    this.view = view;
    this.nothing?.remove();
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!this.view || width < 80 || height < 80 || !this.view.x.length) return;
    const frame = { left: 58, right: width - 12, top: LABEL_BAND + 8, bottom: height - 32 };
    this.frame = frame;
    this.scales(frame);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const parts = [this.axes(frame)];
    if (this.view.dark) parts.push(this.trace(this.view.dark, "trace dark"));
    parts.push(this.trace(this.view.y, "trace"));
    if (this.view.baseline) parts.push(this.trace(this.view.baseline, "trace baseline"));
    parts.push(...this.marks(frame), this.absent(), this.cross);
    this.svg.replaceChildren(...parts);
  }

  scales(frame) {
    const { x, y, log } = this.view;
    let low = Infinity, high = -Infinity;
    for (const value of y) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(high > low)) { low = Math.min(low, 0); high = low + 1; }
    if (!Number.isFinite(low)) { low = 0; high = 1; }
    if (log) { low = Math.max(1, high / 1e5); high = Math.max(high, low * 10); }
    else { const spare = (high - low) * 0.03; low = Math.min(0, low) - (low < 0 ? spare : 0); high += spare; }
    this.low = low; this.high = high;
    const first = x[0], span = x[x.length - 1] - first || 1;
    const wide = frame.right - frame.left, tall = frame.bottom - frame.top;
    this.atX = (nm) => frame.left + (nm - first) / span * wide;
    this.nmAt = (px) => first + (px - frame.left) / wide * span;
    const scaled = log
      ? (counts) => Math.log(Math.max(counts, low) / low) / Math.log(high / low)
      : (counts) => (counts - low) / (high - low);
    this.atY = (counts) => frame.bottom - scaled(counts) * tall;
  }

  axes(frame) {
    const group = node("g", { class: "axis" });
    const { x, unit, log } = this.view;
    const step = niceStep((x[x.length - 1] - x[0]) / Math.max(3, (frame.right - frame.left) / 75));
    for (let nm = Math.ceil(x[0] / step) * step; nm <= x[x.length - 1]; nm += step) {
      const at = this.atX(nm);
      group.append(line("grid", at, frame.top, at, frame.bottom), line("", at, frame.bottom, at, frame.bottom + 4));
      group.append(node("text", { x: at, y: frame.bottom + 16, "text-anchor": "middle" }, plain(nm, step)));
    }
    for (const counts of log ? decades(this.low, this.high) : this.steps(frame)) {
      const at = this.atY(counts);
      group.append(line("grid", frame.left, at, frame.right, at));
      group.append(node("text", { x: frame.left - 7, y: at + 4, "text-anchor": "end" }, thousandsOrPlain(counts)));
    }
    group.append(node("path", { d: `M${frame.left} ${frame.top}V${frame.bottom}H${frame.right}` }));
    group.append(node("text", { x: frame.right, y: frame.bottom + 29, "text-anchor": "end", class: "unit" }, "wavelength in air / nm"));
    group.append(node("text", { x: 6, y: frame.bottom + 29, class: "unit" }, unit));
    return group;
  }

  steps(frame) {
    const step = niceStep((this.high - this.low) / Math.max(2, (frame.bottom - frame.top) / 34));
    const found = [];
    for (let counts = Math.ceil(this.low / step) * step; counts <= this.high; counts += step) found.push(counts);
    return found;
  }

  // Per pixel column the least and the greatest value: no line is lost, however many detector pixels there are.
  trace(y, className) {
    const { x } = this.view;
    const path = [];
    let column = NaN, low, high, first, last, open = false;
    const flush = () => {
      if (Number.isNaN(column)) return;
      path.push(`${open ? "L" : "M"}${column} ${first.toFixed(1)}`);
      if (low !== high) path.push(`V${low.toFixed(1)}V${high.toFixed(1)}V${last.toFixed(1)}`);
      open = true;
    };
    for (let i = 0; i < x.length; i++) {
      if (y[i] === null || y[i] === undefined) { flush(); column = NaN; open = false; continue; }
      const at = Math.round(this.atX(x[i]) * 2) / 2, value = this.atY(y[i]);
      if (at !== column) { flush(); column = at; low = high = first = value; }
      low = Math.min(low, value); high = Math.max(high, value); last = value;
    }
    flush();
    return node("path", { class: className, d: path.join("") });
  }

  marks(frame) {
    const peaks = this.view.peaks.map((peak) => ({ ...peak, x: this.atX(peak.wavelength_nm), y: this.topOf(peak) }));
    const group = node("g"), labels = node("g");
    for (const { peak, x } of placed(peaks, frame)) {
      const name = peak.element ? "label" : "label unnamed";
      const colour = `color:${colourOf(peak.element)}`;
      const bend = `M${x} ${LABEL_BAND}V${LABEL_BAND + 4}L${peak.x} ${LABEL_BAND + 11}V${Math.max(LABEL_BAND + 11, peak.y - 4)}`;
      const leader = node("path", { class: "leader", d: bend });
      const text = node("text", { class: name, transform: `translate(${x + 3.6} ${LABEL_BAND - 2}) rotate(-90)` }, labelOf(peak));
      text.style.cssText = leader.style.cssText = colour;
      text.style.fill = peak.element ? "currentColor" : "";
      labels.append(leader, text);
    }
    for (const peak of peaks) {
      const dot = node("circle", { class: "dot", cx: peak.x, cy: peak.y, r: peak.element ? 3 : 2.2 });
      dot.style.fill = colourOf(peak.element);
      dot.append(node("title", {}, labelOf(peak)));
      group.append(dot);
    }
    return [labels, group];
  }

  // Hollow: lines that an element lets expect, and that are not there.
  absent() {
    const group = node("g");
    const { x, y, baseline, missing } = this.view;
    for (const { nm, height, element } of missing ?? []) {
      const i = nearest(x, nm);
      if (nm < x[0] || nm > x[x.length - 1]) continue;
      const top = Math.min((baseline?.[i] ?? y[i] ?? 0) + height, this.high);
      const ring = node("circle", { class: "ring", cx: this.atX(nm), cy: this.atY(top), r: 4.5 });
      ring.style.stroke = colourOf(element);
      ring.append(node("title", {}, `${element} ${nm.toFixed(1)} is missing`));
      group.append(ring);
    }
    return group;
  }

  topOf(peak) {
    const i = nearest(this.view.x, peak.wavelength_nm);
    const around = this.view.y.slice(Math.max(0, i - 1), i + 2).filter((value) => value !== null);
    return around.length ? this.atY(Math.max(...around)) : this.frame.bottom;
  }

  hover(event) {
    if (!this.frame || !this.view) return;
    const box = this.svg.getBoundingClientRect();
    const px = Math.min(this.frame.right, Math.max(this.frame.left, event.clientX - box.left));
    const i = nearest(this.view.x, this.nmAt(px));
    const x = this.atX(this.view.x[i]), counts = this.view.y[i];
    const parts = [line("cross", x, this.frame.top, x, this.frame.bottom)];
    if (counts !== null) parts.push(node("circle", { class: "cross-dot", cx: x, cy: this.atY(counts), r: 3.5 }));
    this.cross.replaceChildren(...parts);
    this.cross.setAttribute("visibility", "visible");
    const peak = this.view.peaks.find((known) => Math.abs(this.atX(known.wavelength_nm) - x) < 6) ?? null;
    this.near = peak;
    const shown = counts === null ? "no value" : `${thousands(counts)} counts`;
    this.readout.textContent = `${this.view.x[i].toFixed(2)} nm · ${shown}${peak ? ` · ${labelOf(peak)}` : ""}`;
    this.readout.classList.toggle("left", px > (this.frame.left + this.frame.right) / 2);
    this.readout.hidden = false;
    this.onHover(peak);
  }

  leave() {
    this.cross.setAttribute("visibility", "hidden");
    this.readout.hidden = true;
    this.near = null;
    this.onHover(null);
  }
}

export function labelOf(peak) {
  return `${peak.element ? `${peak.element} ` : ""}${peak.wavelength_nm.toFixed(1)}`;
}

// Labels in order of importance, each kept only when all kept ones can stand side by side near their peaks.
function placed(peaks, frame) {
  const ranked = [...peaks].sort((a, b) => Boolean(b.element) - Boolean(a.element) || b.intensity - a.intensity);
  let kept = [];
  for (const peak of ranked.slice(0, 90)) {
    const tried = spread([...kept.map((label) => label.peak), peak].sort((a, b) => a.x - b.x), frame);
    if (tried) kept = tried;
  }
  return kept;
}

// Least total movement that keeps the distance: neighbours that collide move as one group (pool adjacent violators).
function spread(peaks, frame) {
  const groups = [];
  peaks.forEach((peak, i) => {
    groups.push({ sum: peak.x - i * LABEL_STEP, count: 1 });
    while (groups.length > 1 && mean(groups.at(-2)) > mean(groups.at(-1))) {
      const last = groups.pop();
      groups.at(-1).sum += last.sum;
      groups.at(-1).count += last.count;
    }
  });
  const starts = groups.flatMap((group) => Array(group.count).fill(mean(group)));
  const labels = peaks.map((peak, i) => ({ peak, x: starts[i] + i * LABEL_STEP }));
  const good = ({ peak, x }) => Math.abs(x - peak.x) <= LABEL_SHIFT && x >= frame.left - 4 && x <= frame.right + 4;
  return labels.every(good) ? labels : null;
}

const mean = (group) => group.sum / group.count;

function nearest(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) high = middle; else low = middle;
  }
  return value - sorted[low] < sorted[high] - value ? low : high;
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999) ?? power * 10;
}

function decades(low, high) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high; power++) found.push(10 ** power);
  return found;
}

const plain = (value, step) => value.toFixed(Math.max(0, -Math.floor(Math.log10(step))));
const thousandsOrPlain = (counts) => (Math.abs(counts) >= 1 || counts === 0 ? thousands(counts) : String(+counts.toPrecision(2)));
const line = (name, x1, y1, x2, y2) => node("line", { class: name, x1, y1, x2, y2 });
