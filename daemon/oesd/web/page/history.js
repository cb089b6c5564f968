// What was: the waterfall of the last hour, and traces of lines, bands and ratios with what happened.
import { get } from "/calls.js";
import { axis, draw, drop, layout, title } from "/chart.js";
import { dark, ink } from "/colours.js";
import { $, button, clockText, element, holding, plain, short, showOnce, wallText } from "/words.js";

const EVERY_MS = 10000;
const ROWS = 240;
const COLUMNS = 480;
const INFERNO = [[0, "#000004"], [0.25, "#57106e"], [0.5, "#bc3754"], [0.75, "#f98e09"], [1, "#fcffa4"]];   // plotly has no name for it
const TYPED = "oesd-typed";
const LINE = /^[A-Z][a-z]?_\d+(\.\d+)?$/;
const LEVELS = { bad: "bad", wait: "wait", good: "good" };

export class History {
  // tell: { units(), look(device, data_id) }
  constructor(tell) {
    this.tell = tell;
    this.extra = new Map(JSON.parse(localStorage.getItem(TYPED) ?? "[]").map((text) => [text, wish(text)]));   // what a person asked for beside the named traces
    $("history-tools").addEventListener("submit", (event) => { event.preventDefault(); this.add(); this.load(); });
    for (const id of ["history-device", "history-span"]) $(id).addEventListener("change", () => { this.zoom = null; this.load(); });
  }

  // Spectrometers may become known after the view was opened.
  known() {
    const names = this.tell.units().sort(), chosen = this.device;
    if (!showOnce($("history-device"), names, () => (names.length ? names : [""]).map((name) => new Option(name || "none yet", name)))) return;
    if (names.includes(chosen)) $("history-device").value = chosen; else this.load();
  }

  open() {
    this.known();
    clearInterval(this.turn);
    this.turn = setInterval(() => {
      if ($("view-history").hidden) clearInterval(this.turn);
      else if (document.visibilityState === "visible") this.load();
    }, EVERY_MS);
    this.load();
  }

  get device() { return $("history-device").value; }

  span() {
    const until = new Date(), since = new Date(until - 1000 * Number($("history-span").value));
    return { since, until };
  }

  async load() {
    $("waterfall").hidden = !this.device;
    if (!this.device) {
      $("traces-said").textContent = "Lines, bands and ratios over time, as [[trace]] in the configuration names them, or any line written above.";
      $("waterfall-said").textContent = "No spectrometer yet: plug one in, and what it measures appears here.";
      return;
    }
    const asked = this.asked = {};
    const span = this.span();
    await Promise.all([this.waterfall(span), this.list().then(() => this.traces(span))]);
    if (this.asked === asked) $("history-said").textContent = `as of ${clockText(span.until)}`;
  }

  async waterfall({ since, until }) {
    const device = this.device;
    const words = $("waterfall-said");
    try {
      const query = new URLSearchParams({ device, since: since.toISOString(), until: until.toISOString(), rows: ROWS, columns: COLUMNS });
      const found = await get(`/waterfall?${query}`);
      if (device !== this.device) return;
      words.textContent = found.data_id.length ? "" : "No spectrum in this time. Choose a longer one, or start a run.";
      $("waterfall").hidden = !found.data_id.length;
      if (found.data_id.length) this.paint(found);
    } catch (problem) {
      words.textContent = `The waterfall cannot be shown: ${problem.message}`;
    }
  }

  // Brightness grows with the logarithm above the noise: weak lines are seen beside strong ones.
  paint(found) {
    const host = $("waterfall");
    const all = found.values.flat().filter((value) => value !== null).sort((a, b) => a - b);
    const quiet = Math.max(1, Math.abs(all[Math.floor(all.length / 2)] ?? 1)), top = Math.max(all[all.length - 1] ?? 1, 2 * quiet);
    const shade = (value) => (value === null ? null : Math.asinh(Math.max(0, value) / quiet));
    const ticks = [0, ...[10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5].filter((value) => value > quiet && value < 0.97 * top)];
    const data = () => [{
      type: "heatmap", x: found.wavelengths_nm, y: found.taken_at_utc.map(wallText), z: found.values.map((row) => row.map(shade)),
      customdata: found.values, hovertemplate: "%{x:.1f} nm, %{y|%H:%M:%S}<br>%{customdata:,.0f} counts<extra></extra>", zmin: 0, zmax: Math.asinh(top / quiet),
      colorscale: dark() ? INFERNO : "Cividis", showscale: true,
      colorbar: { thickness: 14, outlinewidth: 0, tickvals: ticks.map(shade), ticktext: ticks.map((value) => short(value)), tickfont: { color: ink("soft") }, title: title("counts") },
    }];
    draw(host, () => ({ data: data(), layout: layout({
      margin: { l: 76, r: 10, t: 8, b: 44 }, uirevision: `${this.device} ${$("history-span").value}`,
      xaxis: axis({ title: title("wavelength in air / nm") }), yaxis: axis({ autorange: "reversed", tickformat: "%H:%M:%S" }),
    }) }), { plotly_click: ({ points: [point] }) => { const id = this.ids[point.pointIndex[0]]; if (id) this.tell.look(this.device, id); } });
    this.ids = found.data_id;
  }

  async list() {
    const { traces } = await get(`/traces?device=${encodeURIComponent(this.device)}`).catch((problem) => ({ traces: [], problem }));
    // What a person has named stands before what oesd measures of itself.
    this.named = traces.filter((trace) => !trace.device || trace.device === this.device).sort((a, b) => (a.definition === a.name) - (b.definition === b.name));
    const picks = [...this.named.map((trace) => ({ key: trace.name, words: trace.name, title: `${trace.definition ?? ""} ${trace.refused ?? ""}`.trim(), refused: trace.refused })),
      ...[...this.extra.keys()].map((key) => ({ key, words: key, title: "asked for here" }))];
    showOnce($("trace-picks"), [picks, [...this.chosen()]], () => picks.map((pick) => {
      const made = button(pick.words, () => this.pick(pick.key), pick.refused ? "refused" : "");
      made.title = pick.title;
      made.setAttribute("aria-pressed", String(this.chosen().has(pick.key)));
      return made;
    }));
  }

  chosen() {
    const kept = JSON.parse(localStorage.getItem(`oesd-traces-${this.device}`) ?? "null");
    const first = (this.named ?? []).filter((trace) => !trace.refused).slice(0, 3).map((trace) => trace.name);
    return new Set(kept ?? [...first, ...this.extra.keys()]);
  }

  pick(key, on = !this.chosen().has(key)) {
    const chosen = this.chosen();
    if (on) chosen.add(key); else chosen.delete(key);
    if (!on) this.extra.delete(key);
    localStorage.setItem(TYPED, JSON.stringify([...this.extra.keys()]));
    localStorage.setItem(`oesd-traces-${this.device}`, JSON.stringify([...chosen]));
    this.load();
  }

  add() {
    const text = $("history-line").value.trim();
    if (!text) return;
    this.extra.set(text, wish(text));
    $("history-line").value = "";
    this.pick(text, true);
  }

  async traces({ since, until }) {
    const device = this.device;
    const wanted = [...this.chosen()].filter((key) => this.extra.has(key) || this.named.some((trace) => trace.name === key));
    const words = $("traces-said");
    words.textContent = wanted.length ? "" : "No trace is chosen. Press one above, or write a line such as Ar_750.4, or a ratio such as F_703.7 / Ar_750.4, and press Show. Named traces come from [[trace]] in the configuration.";
    const found = await Promise.all(wanted.map((key) => {
      const query = new URLSearchParams({ device, from: since.toISOString(), to: until.toISOString(), points: 600, ...(this.extra.get(key) ?? { name: key }) });
      return get(`/traces?${query}`).catch((problem) => ({ name: key, refused: problem.message, taken_at_utc: [], events: [] }));
    }));
    if (device !== this.device) return;
    const host = $("traces");
    const kept = new Map([...host.children].map((child) => [child.dataset.key, child]));
    for (const [key, child] of kept) if (!wanted.includes(key)) { drop(child.querySelector(".chart")); child.remove(); }
    // All on one axis of time, no longer than there is anything to see.
    const first = Math.min(until, ...found.map((trace) => (trace.taken_at_utc.length ? new Date(trace.taken_at_utc[0]) : until)));
    const from = new Date(Math.max(since, Math.min(first, until - 60000)));
    wanted.forEach((key, i) => this.one(kept.get(key) ?? this.place(key), found[i], [wallText(from), wallText(until)]));
  }

  // All traces show the same time, and a zoom stays while new points come; another spectrometer or time begins anew.
  zoomed(low, high) {
    if (low === undefined) return;
    this.zoom = low === null ? null : [low, high];
    this.load();
  }

  place(key) {
    const made = holding("section", "strip", holding("h3", ""), element("div", "chart low"), element("p", "quiet"));
    made.dataset.key = key;
    $("traces").append(made);
    return made;
  }

  one(place, trace, range) {
    const chart = place.querySelector(".chart"), last = lastOf(trace);
    showOnce(place.querySelector("h3"), [trace.name, trace.definition, last, trace.unit], () => [
      element("b", "", trace.name ?? place.dataset.key), element("span", "quiet", trace.definition && trace.definition !== trace.name ? trace.definition : ""),
      element("span", "now", last === null ? "" : `${short(last)} ${trace.unit ?? ""}`),
    ]);
    const none = !trace.taken_at_utc.length;
    place.querySelector("p").textContent = trace.refused ? `Not measured: ${trace.refused}` : none ? "Nothing in this time." : (trace.events ?? []).slice(-3).map((event) => `${clockText(event.at_utc)} ${event.text}`).join(" · ");
    chart.hidden = none;
    if (!none) draw(chart, () => ({ data: lines(trace), layout: strip(trace, this.zoom ?? range) }), {
      plotly_relayout: (change) => this.zoomed(change["xaxis.range[0]"], change["xaxis.range[1]"]), plotly_doubleclick: () => this.zoomed(null),
    });
  }
}

// "Ar_750.4", a wavelength, or a formula such as "F_703.7 / Ar_750.4".
const wish = (text) => (Number.isFinite(Number(text)) ? { nm: text } : LINE.test(text) ? { line: text } : { formula: text });

const lastOf = (trace) => [...(trace.value ?? [])].reverse().find((value) => value !== null) ?? null;

function lines(trace) {
  const at = trace.taken_at_utc.map(wallText), of = (state) => at.map((_, i) => (trace.state?.[i] === state ? i : -1)).filter((i) => i >= 0);
  const measured = trace.value.map((value, i) => (!trace.state || ["measured", "no peak"].includes(trace.state[i]) ? value : null));
  const band = (sign) => measured.map((value, i) => (value === null || !trace.sigma?.[i] ? value : value + sign * trace.sigma[i]));
  const below = of("not detected"), above = of("saturated");
  const arrows = (indices, symbol, values, words) => ({
    x: indices.map((i) => at[i]), y: indices.map((i) => values[i]), type: "scatter", mode: "markers", hovertemplate: `${words} %{y:.4g}<extra></extra>`,
    marker: { symbol, size: 8, color: ink("soft") },
  });
  return [
    { x: at, y: band(-1), type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
    { x: at, y: band(1), type: "scatter", mode: "lines", line: { width: 0 }, fill: "tonexty", fillcolor: ink("haze"), hoverinfo: "skip" },
    { x: at, y: measured, type: "scatter", mode: at.length < 40 ? "lines+markers" : "lines", line: { color: ink("trace"), width: 1.6 }, hovertemplate: `%{x|%H:%M:%S}: %{y:.4g} ${plain(trace.unit ?? "")}<extra></extra>` },
    arrows(below, "triangle-down-open", trace.upper ?? trace.value, "not seen, below"), arrows(above, "triangle-up-open", trace.value, "saturated, above"),
  ];
}

function strip(trace, range) {
  const events = trace.events ?? [];
  const colour = (event) => ink(LEVELS[event.level] ?? "soft");
  return layout({
    margin: { l: 76, r: 14, t: 18, b: 28 }, uirevision: "kept", hovermode: "x",
    xaxis: axis({ type: "date", range, tickformat: "%H:%M:%S", uirevision: String(range) }), yaxis: axis({ nticks: 5, exponentformat: "SI" }),
    shapes: events.map((event) => ({ type: "line", xref: "x", yref: "y domain", x0: wallText(event.at_utc), x1: wallText(event.at_utc), y0: 0, y1: 1, line: { color: colour(event), width: 2, dash: "dot" } })),
    annotations: events.slice(-6).map((event) => ({ x: wallText(event.at_utc), xref: "x", y: 1, yref: "y domain", yanchor: "bottom", showarrow: false, text: plain(event.name ?? event.kind), font: { size: 12, color: colour(event) } })),
  });
}
