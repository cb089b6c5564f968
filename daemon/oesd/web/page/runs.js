// Runs with their labels and what became of their slots, and a run against a golden one.
import { Cancelled, LONG_MS, get } from "/calls.js";
import { axis, draw, layout, title } from "/chart.js";
import { colourOf, ink, shadeOf } from "/colours.js";
import { isGoldenRun, keepRun, onGolden } from "/golden.js";
import { bar } from "/ledger.js";
import { askLabels } from "/orders.js";
import { $, button, element, holding, labelsText, lengthText, plain, short, showOnce, thousands, whenText } from "/words.js";

const LISTED = 100;
const EVERY_MS = 5000;
const DRAWN = 4;

export class Runs {
  constructor(tell) {
    this.tell = tell;
    onGolden(() => { if (this.runs && !$("view-runs").hidden) this.list(this.runs); });
    $("compare-tools").addEventListener("submit", (event) => { event.preventDefault(); this.compare(); });
  }

  open() {
    clearInterval(this.turn);
    this.turn = setInterval(() => { if ($("view-runs").hidden) clearInterval(this.turn); else if (document.visibilityState === "visible") this.load(); }, EVERY_MS);
    this.load();
  }

  async load() {
    try {
      const { runs } = await get(`/runs?limit=${LISTED}`);
      if (!runs.length) $("runs-said").textContent = "No run yet: press Start run at a spectrometer, or give one in the configuration.";
      this.list(runs);
    } catch (problem) {
      $("runs-said").textContent = `The runs cannot be shown: ${problem.message}`;
    }
  }

  list(runs) {
    this.runs = runs;
    const golden = runs.map(isGoldenRun), options = () => runs.map((run) => new Option(nameOf(run), run.run_id));
    showOnce($("run-rows"), [runs, golden], () => runs.map((run, i) => this.row(run, golden[i])));
    for (const [id, first] of [["compare-run", runs.length ? [] : [["none yet", ""]]], ["compare-golden", [["the golden run of its spectrometer", ""]]]]) {
      const chosen = $(id).value;
      showOnce($(id), runs.map((run) => run.run_id), () => [...first.map(([words, value]) => new Option(words, value)), ...options()]);
      if (runs.some((run) => run.run_id === chosen)) $(id).value = chosen;
    }
  }

  row(run, golden) {
    const lost = Object.entries(run.lost ?? {}), lostSlots = lost.reduce((all, [, slots]) => all + slots, 0);
    const spectra = element("td", "spectra", `${thousands(run.stored)} of ${thousands(run.due)}`);
    spectra.append(bar([{ key: "confirmed", count: run.stored }, { key: "lost", count: lostSlots }], Math.max(1, run.due)));
    const ended = run.ended_at_utc ? new Date(run.ended_at_utc) : new Date();
    return holding("tr", run.on ? "on" : "", element("td", "", run.device_name), element("td", "", whenText(run.began_at_utc)),
      element("td", "", run.on ? "still on" : lengthText((ended - new Date(run.began_at_utc)) / 1000)), holding("td", "", element("span", "", labelsText(run.labels) || "–"), run.on ? " " : null, run.on ? this.labels(run) : null), spectra,
      element("td", lostSlots ? "bad" : "", lost.map(([reason, slots]) => `${thousands(slots)} ${reason}`).join(", ") || "0"),
      holding("td", "", button("Compare", () => this.choose(run), "small"), this.star(run, golden)));
  }

  labels(run) {
    const made = button("labels", () => askLabels(run, (said) => { $("runs-said").textContent = said; this.load(); }), "small");
    made.title = `change the labels of the run of ${run.device_name} that is on`;
    return made;
  }

  // Another page has changed labels.
  changed() {
    if (!$("view-runs").hidden) this.load();
  }

  // Pressed: this is the golden run of its spectrometer; pressing again takes that back.
  star(run, golden) {
    const made = button("golden", () => this.keep(run, !golden), "small");
    made.setAttribute("aria-pressed", String(golden));
    made.title = golden ? `the golden run of ${run.device_name}` : `make it the golden run of ${run.device_name}`;
    return made;
  }

  async keep(run, golden) {
    try {
      await keepRun(run, golden);
      $("compare-golden").value = "";
      $("runs-said").textContent = golden ? `${nameOf(run)} is the golden run of ${run.device_name} from now on: others are compared with it.` : `${run.device_name} has no golden run any more.`;
    } catch (problem) {
      if (!(problem instanceof Cancelled)) $("runs-said").textContent = `Not changed: ${problem.message}`;
    }
  }

  choose(run) {
    $("compare-run").value = run.run_id;
    $("compare-tools").scrollIntoView({ block: "nearest" });
    this.compare();
  }

  async compare() {
    const words = $("compare-said");
    words.textContent = "Comparing …";
    const query = new URLSearchParams({ run: $("compare-run").value });
    if ($("compare-golden").value) query.set("golden", $("compare-golden").value);
    try {
      const found = await get(`/compare?${query}`, LONG_MS);
      words.textContent = found.sentence;
      $("compare-how").textContent = [found.aligned?.sentence, ...(found.notes ?? [])].filter(Boolean).join("; ");
      this.tabulate(found);
      this.plot(found);
    } catch (problem) {
      $("compare-table").hidden = $("compare-chart").hidden = true;
      words.textContent = `They cannot be compared: ${problem.message}`;
      $("compare-how").textContent = "";
    }
  }

  tabulate({ species }) {
    $("compare-table").hidden = species.length === 0;
    $("compare-rows").replaceChildren(...species.map((one) => {
      const name = element("b", "", one.species);
      name.style.color = shadeOf(one.species);
      const percent = one.ratio ? ` (${one.ratio >= 1 ? "+" : "−"}${Math.abs(100 * (one.ratio - 1)).toFixed(1)} %)` : "";
      return holding("tr", one.different ? "different" : "", holding("td", "", name), element("td", "", short(one.run)), element("td", "", short(one.golden)),
        element("td", "", `${short(one.difference)} ± ${short(one.sigma)}${percent}`), element("td", "", short(one.z)), element("td", "say", one.sentence));
    }));
  }

  // Solid: this run; dotted: the golden one; the species that differ most.
  plot({ species, series, times_s: times }) {
    const names = species.map((one) => one.species).filter((name) => series?.[name]).slice(0, DRAWN);
    $("compare-chart").hidden = !names.length || !times?.length;
    if ($("compare-chart").hidden) return;
    draw($("compare-chart"), () => ({
      data: names.flatMap((name) => ["golden", "run"].map((which) => ({
        x: times, y: series[name][which], type: "scatter", mode: "lines", name: `${plain(name)} ${which === "run" ? "this run" : "golden"}`,
        line: { color: colourOf(name), width: which === "run" ? 2 : 1.6, dash: which === "run" ? "solid" : "dot" },
      }))),
      layout: layout({ margin: { l: 76, r: 14, t: 10, b: 46 }, showlegend: true, legend: { orientation: "h", y: 1.12, font: { color: ink("ink") } }, xaxis: axis({ title: title("since the run began / s") }), yaxis: axis({ exponentformat: "SI", title: title("counts/s", 8) }) }),
    }));
  }
}

const nameOf = (run) => [run.device_name, whenText(run.began_at_utc), labelsText(run.labels)].filter(Boolean).join(", ");
