// Alarms with their acknowledgement, endpoint rules with their back-test, and what happened.
import { Cancelled, LONG_MS, get, send } from "/calls.js";
import { axis, draw, layout, title } from "/chart.js";
import { ink } from "/colours.js";
import { $, button, element, holding, lengthText, plain, short, showOnce, thousands, whenText } from "/words.js";

const STATES = { ok: "well", pending: "watching", raised: "RAISED", acknowledged: "acknowledged", cleared: "over, not acknowledged" };
const LAST_RUNS = 10;
const EVERY_MS = 5000;
const DONE = { ok: "well", trying: "trying again", failed: "FAILED" };
const keyOf = (one) => `${one.rule ? "endpoint" : "alarm"} ${one.name} ${one.device}`;
const amount = (value, unit) => (value === null || value === undefined ? "" : unit === "s" ? lengthText(value) : `${short(value)} ${unit ?? ""}`.trim());
const levelOf = (endpoint) => ({ reached: "good", refused: "bad" }[endpoint.state] ?? "");

export class Alarms {
  constructor(tell) {
    this.tell = tell;
    this.known = new Map();
    this.answered = false;
    this.actions = [];
    $("alarm-by").value = localStorage.getItem("oesd-by") ?? "";
    $("alarm-by").addEventListener("change", () => localStorage.setItem("oesd-by", $("alarm-by").value.trim()));
  }

  // What stands now: asked for at each new connection, as events of a break are never told again after a restart.
  async ask() {
    this.takeAll(await get("/alarms").catch((problem) => { if (problem.status === 404) return {}; throw problem; }));
    this.tell.changed();
  }

  raised() { return [...this.known.values()].filter((one) => !one.rule && ["raised", "cleared"].includes(one.state)); }

  on() { return [...this.known.values()].filter((one) => !one.rule && one.state === "raised").length; }

  unseen() { return [...this.known.values()].filter((one) => !one.rule && one.needs_acknowledge).length; }

  waiting() { return this.raised().length; }

  open() {
    clearInterval(this.turn);
    this.turn = setInterval(() => { if ($("view-alarms").hidden) clearInterval(this.turn); else if (document.visibilityState === "visible") this.load(); }, EVERY_MS);
    return this.load();
  }

  async load() {
    try {
      this.takeAll(await get("/alarms"));
      this.events((await get("/alarms/events?limit=50")).events);
    } catch (problem) {
      if (problem.status === 404) { this.takeAll({}); this.events([]); }
      else $("alarms-said").textContent = `The alarms cannot be shown: ${problem.message}`;
    }
    this.tell.changed();
  }

  takeAll({ alarms = [], endpoints = [], actions = [] }) {
    this.answered = true;
    this.known = new Map([...alarms, ...endpoints].map((one) => [keyOf(one), one]));
    this.actions = actions;
    this.show();
  }

  take(one) {
    this.known.set(keyOf(one), one);
    this.show();
    if (!$("view-alarms").hidden) get("/alarms/events?limit=50").then(({ events }) => this.events(events)).catch(() => {});
  }

  show() {
    const all = [...this.known.values()], order = { bad: 0, wait: 1, good: 2 };
    const alarms = all.filter((one) => !one.rule).sort((a, b) => order[a.level] - order[b.level]), endpoints = all.filter((one) => one.rule);
    const none = (words) => [element("li", "none", words)];
    showOnce($("alarm-list"), alarms, () => (alarms.length ? alarms.map((one) => this.alarm(one)) : none("No alarm is configured. Write one in the configuration: [[alarm]] with a trace and a limit.")));
    showOnce($("action-list"), this.actions, () => (this.actions.length ? this.actions.map((one) => this.action(one)) : none("Nobody is told but this page and the log. [[action]] in the configuration names a hook, a mailbox or a command.")));
    showOnce($("endpoint-list"), endpoints, () => (endpoints.length ? endpoints.map((one) => this.endpoint(one)) : none("No endpoint rule is configured. Write one in the configuration: [[endpoint]] with a trace and a rule.")));
  }

  alarm(one) {
    const facts = [amount(one.value, one.unit), one.limit === null || one.limit === undefined ? "" : `limit ${amount(one.limit, one.unit)}`,
      one.since_utc ? `since ${whenText(one.since_utc)}` : "", one.acknowledged_by ? `acknowledged by ${one.acknowledged_by}` : ""].filter(Boolean).join(" · ");
    const made = holding("li", "", holding("span", "head", element("b", "", one.name), element("span", "state-word", STATES[one.state] ?? one.state), element("span", "quiet", one.device)),
      element("p", "", one.text), element("p", "quiet", facts), one.needs_acknowledge ? button("Acknowledge", () => this.acknowledge(one), "main") : null);
    made.dataset.level = one.level;
    return made;
  }

  action(one) {
    const made = holding("li", "", holding("span", "head", element("b", "", one.name), element("span", "state-word", DONE[one.state] ?? one.state), element("span", "quiet", one.kind)), element("p", "quiet", one.text ?? ""));
    made.dataset.level = one.state === "failed" ? "bad" : one.state === "trying" ? "wait" : "good";
    return made;
  }

  async acknowledge(one) {
    try {
      await send("POST", `/alarms/${encodeURIComponent(one.name)}/acknowledge`, { device: one.device, by: $("alarm-by").value.trim() || "page" });
      $("alarms-said").textContent = `${one.name} is acknowledged.`;
      await this.open();
    } catch (problem) {
      if (!(problem instanceof Cancelled)) $("alarms-said").textContent = `Not acknowledged: ${problem.message}`;
    }
  }

  endpoint(one) {
    const made = holding("li", "", holding("span", "head", element("b", "", one.name), element("span", "state-word", one.state), element("span", "quiet", one.device)),
      element("p", "", one.definition), element("p", "quiet", one.text), button("Back-test on the last runs", () => this.backtest(one, { last: LAST_RUNS })));
    made.dataset.level = levelOf(one);
    return made;
  }

  async backtest(one, over) {
    const words = $("backtest-said");
    words.textContent = "Testing on stored runs …";
    try {
      const found = await send("POST", "/backtest", { rule: one.name, device: one.device, ...over }, LONG_MS);
      words.textContent = found.sentence.startsWith(one.name) ? found.sentence : `${one.name}: ${found.sentence}`;
      const only = found.runs.length === 1 ? found.runs[0] : null;
      if (!over.run_id) {   // a run of the list was looked at: the list stays
        $("backtest-table").hidden = !found.runs.length;
        $("backtest-rows").replaceChildren(...found.runs.map((run) => this.tested(one, run)));
      }
      $("backtest-chart").hidden = !only?.trace;
      if (only?.trace) this.plot(only, one.trace ?? "value");
    } catch (problem) {
      words.textContent = problem instanceof Cancelled ? "" : `It cannot be tested: ${problem.message}`;
    }
  }

  tested(one, run) {
    const same = run.same_as_live === null ? (run.live && !run.live.at_utc ? "cannot be told" : "not live then") : run.same_as_live ? "yes" : "NO";
    return holding("tr", "", holding("td", "", button(whenText(run.began_utc), () => this.backtest(one, { run_id: run.run_id }), "small")), element("td", "", thousands(run.points)),
      element("td", "", run.fired ? `${run.fired.run_s.toFixed(1)} s: ${run.fired.why}` : "no"), element("td", "", run.live ? (run.live.at_utc ? whenText(run.live.at_utc) : "?") : "no"), element("td", run.same_as_live === false ? "bad" : "", same));
  }

  plot({ trace, fired }, name) {
    const line = (name, y, colour, dash) => ({ name, x: trace.run_s, y, type: "scatter", mode: "lines", line: { color: colour, width: 1.7, dash } });
    draw($("backtest-chart"), () => ({
      data: [line(plain(name), trace.value, ink("trace"), "solid"), ...(trace.statistic ? [{ ...line("what the rule sums", trace.statistic, ink("over"), "solid"), yaxis: "y2" }] : []), ...(trace.limit ? [{ ...line("limit", trace.limit, ink("bad"), "dash"), yaxis: trace.statistic ? "y2" : "y" }] : [])],
      layout: layout({
        margin: { l: 76, r: 70, t: 10, b: 46 }, showlegend: true, legend: { orientation: "h", y: 1.12, font: { color: ink("ink") } }, xaxis: axis({ title: title("since the run began / s") }),
        yaxis: axis({ exponentformat: "SI", nticks: 6, title: title(plain(name), 8) }), yaxis2: axis({ overlaying: "y", side: "right", showgrid: false, tickmode: "auto", nticks: 6, tickformat: ".3~g", title: title("what the rule sums") }),
        shapes: fired ? [{ type: "line", xref: "x", yref: "y domain", x0: fired.run_s, x1: fired.run_s, y0: 0, y1: 1, line: { color: ink("good"), width: 3 } }] : [],
      }),
    }));
  }

  events(events) {
    showOnce($("alarm-events"), events, () => (events.length ? events.map((event) => holding("li", "", element("time", "", event.at_utc ? whenText(event.at_utc) : "?"), element("b", "", event.name), element("span", "quiet", event.device), event.to ? element("span", "state-word", STATES[event.to] ?? event.to) : null, element("span", "", event.text)))
      : [element("li", "none", "Nothing has happened yet.")]));
  }
}
