// What was found in a spectrum: elements as chips, peaks as a table.
import { colourOf } from "/colours.js";
import { button, chance, element, holding, lineName, short, showOnce, thousands } from "/words.js";

const MARKS = [
  ["manual", "by hand", "assigned by a person"],
  ["saturated", "sat", "the detector was saturated here"],
  ["blended", "blend", "more than one line"],
  ["ambiguous", "?", "several elements could be it, and nothing tells which"],
];
const READABLE_MS = 1000;   // a table that is rebuilt five times a second can be neither read nor clicked

export class Found {
  // parts: { elements, body, head, none } of the page; choose({ name } or { peak })
  constructor(parts, choose) {
    this.parts = parts;
    this.choose = choose;
    this.shownAt = null;
  }

  // The next one is shown at once.
  forget() {
    this.shownAt = null;
  }

  // held: the spectrum stays, and one of its peaks may be chosen.
  show({ elements = [], molecules = [], ambiguous = [], detected_peaks: peaks }, held, chosen) {
    const theme = [document.documentElement.dataset.theme, matchMedia("(prefers-color-scheme: dark)").matches];
    showOnce(this.parts.elements, [elements, molecules, ambiguous, theme], () => this.chips([...elements, ...molecules], ambiguous));
    if (!held && this.shownAt && Date.now() - this.shownAt < READABLE_MS) return;
    if (this.parts.body.contains(document.activeElement) && this.shownAt && !held) return;
    this.shownAt = Date.now();
    this.parts.body.replaceChildren(...peaks.map((peak) => this.row(peak, held && peak.peak_id === chosen)));
    this.parts.none.hidden = peaks.length > 0;
    this.parts.head.hidden = peaks.length === 0;
  }

  chips(named, ambiguous) {
    const found = named.map((one) => this.chip(one.element, chance(one.probability), { name: one.element }));
    for (const { elements: either, peaks_nm: at } of ambiguous) {
      const chip = this.chip(either.join(" or "), "ambiguous", { name: either[0] });
      chip.title = `one of these, and nothing tells which: ${at.map((nm) => nm.toFixed(2)).join(", ")} nm`;
      found.push(chip);
    }
    return found.length ? found : [element("span", "quiet", "No element named")];
  }

  chip(name, words, what) {
    const chip = button("", () => this.choose(what), "chip");
    chip.title = "Why?";
    chip.style.color = colourOf(name);
    chip.append(element("b", "", name), element("span", "", words));
    return chip;
  }

  row(peak, chosen) {
    const line = button(lineName(peak), (event) => { event.stopPropagation(); this.choose({ peak: peak.peak_id }); }, "line");
    line.style.color = colourOf(peak.element);
    line.setAttribute("aria-label", `${peak.wavelength_nm.toFixed(2)} nm, ${peak.element ?? "not named"}: candidates`);
    const name = holding("td", "", line);
    for (const [key, word, meaning] of MARKS) {
      if (!peak[key]) continue;
      const mark = element("span", "mark", word);
      mark.title = meaning;
      name.append(mark);
    }
    const numbers = [peak.element ? chance(peak.probability) : "", thousands(peak.intensity), short(peak.snr)];
    const row = holding("tr", chosen ? "chosen" : "", element("td", "", peak.wavelength_nm.toFixed(2)), name, ...numbers.map((text) => element("td", "", text)));
    row.dataset.peak = peak.peak_id;
    row.addEventListener("click", () => this.choose({ peak: peak.peak_id }));
    return row;
  }
}
