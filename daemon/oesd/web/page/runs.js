// Runs with their labels and what became of their slots, and a run against a golden one.
import { get } from "/calls.js";
import { axis, draw, layout } from "/chart.js";
import { colourOf, ink } from "/colours.js";
import { bar } from "/ledger.js";
import { $, button, element, holding, labelsText, lengthText, plain, short, showOnce, thousands, whenText } from "/words.js";

const LISTED = 100;
const EVERY_MS = 5000;
const DRAWN = 4;

export class Runs {
  constructor(tell) {
    this.tell = tell;
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
      $("runs-said").textContent = runs.length ? "" : "No run yet: press Start run at a spectrometer, or give one in the configuration.";
      showOnce($("run-rows"), runs, () => runs.map((run) => this.row(run)));
      showOnce($("compare-run"), runs.map((run) => run.run_id), () => runs.map((run) => new Option(nameOf(run), run.run_id)));
      showOnce($("compare-golden"), runs.map((run) => run.run_id), () => [new Option("as configured", ""), ...runs.map((run) => new Option(nameOf(run), run.run_id))]);
      const golden = localStorage.getItem("oesd-golden-run");
      if (golden && !this.chosen && runs.some((run) => run.run_id === golden)) $("compare-golden").value = golden;
      this.chosen = true;
    } catch (problem) {
      $("runs-said").textContent = `The runs cannot be shown: ${problem.message}`;
    }
  }

  row(run) {
    const lost = Object.entries(run.lost ?? {}), lostSlots = lost.reduce((all, [, slots]) => all + slots, 0);
    const spectra = element("td", "spectra", `${thousands(run.stored)} of ${thousands(run.due)}`);
    spectra.append(bar([{ key: "confirmed", count: run.stored }, { key: "lost", count: lostSlots }], Math.max(1, run.due)));
    const ended = run.ended_at_utc ? new Date(run.ended_at_utc) : new Date();
    return holding("tr", run.on ? "on" : "", element("td", "", run.device_name), element("td", "", whenText(run.began_at_utc)),
      element("td", "", run.on ? "still on" : lengthText((ended - new Date(run.began_at_utc)) / 1000)), element("td", "", labelsText(run.labels) || "–"), spectra,
      element("td", lostSlots ? "bad" : "", lost.map(([reason, slots]) => `${thousands(slots)} ${reason}`).join(", ") || "0"),
      holding("td", "", button("this run", () => { $("compare-run").value = run.run_id; this.compare(); }, "small"), button("golden", () => this.golden(run), "small")));
  }

  golden(run) {
    localStorage.setItem("oesd-golden-run", run.run_id);
    $("compare-golden").value = run.run_id;
    $("compare-said").textContent = `${nameOf(run)} is the golden run in this browser. Choose a run and press Compare.`;
  }

  async compare() {
    const words = $("compare-said");
    words.textContent = "Comparing …";
    const query = new URLSearchParams({ run: $("compare-run").value });
    if ($("compare-golden").value) query.set("golden", $("compare-golden").value);
    try {
      const found = await get(`/compare?${query}`);
      words.textContent = [found.sentence, found.aligned?.sentence, ...(found.notes ?? [])].filter(Boolean).join(" ");
      this.tabulate(found);
      this.plot(found);
    } catch (problem) {
      $("compare-table").hidden = $("compare-chart").hidden = true;
      words.textContent = `They cannot be compared: ${problem.message}`;
    }
  }

  tabulate({ species }) {
    $("compare-table").hidden = species.length === 0;
    $("compare-rows").replaceChildren(...species.map((one) => {
      const name = element("b", "", one.species);
      name.style.color = colourOf(one.species);
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
      layout: layout({ margin: { l: 76, r: 14, t: 10, b: 46 }, showlegend: true, legend: { orientation: "h", y: 1.12, font: { color: ink("ink") } }, xaxis: axis({ title: { text: "since the run began / s", font: { color: ink("soft") } } }), yaxis: axis({ exponentformat: "e" }) }),
    }));
  }
}

const nameOf = (run) => [run.device_name, whenText(run.began_at_utc), labelsText(run.labels)].filter(Boolean).join(", ");
