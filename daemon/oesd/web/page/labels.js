// Names above the peaks, upright side by side and never over one another; each is a button.
import { colourOf } from "/colours.js";
import { element, labelOf } from "/words.js";

const SVG = "http://www.w3.org/2000/svg";
const STEP_PX = 15;     // between two names
const SHIFT_PX = 40;    // as far a name may stand beside its peak
export const BAND_PX = 84;
const MOST = 70;

export class Labels {
  constructor(host, onClick) {
    this.lines = document.createElementNS(SVG, "svg");
    this.lines.setAttribute("class", "leaders");
    this.lines.setAttribute("aria-hidden", "true");
    this.names = element("div", "names");
    this.onClick = onClick;
    host.append(this.lines, this.names);
  }

  // frame: { left, right } in px; atX turns nm into px.
  draw(peaks, frame, atX, chosen) {
    const inside = peaks.map((peak) => ({ peak, x: atX(peak.wavelength_nm) })).filter(({ x }) => x >= frame.left && x <= frame.right);
    const kept = placed(inside, frame);
    const key = JSON.stringify([frame, chosen, kept.map(({ at, x }) => [at.peak.peak_id, labelOf(at.peak), Math.round(x), Math.round(at.x)])]);
    if (key === this.drawn) return;
    this.drawn = key;
    const focused = this.names.contains(document.activeElement) ? document.activeElement.dataset.peak : null;
    this.lines.replaceChildren(...kept.map((label) => leader(label)));
    this.names.replaceChildren(...kept.map((label) => this.name(label, chosen)));
    if (focused) this.names.querySelector(`[data-peak="${CSS.escape(focused)}"]`)?.focus();
  }

  forget() { this.drawn = null; }

  name({ at, x }, chosen) {
    const made = element("button", "name", labelOf(at.peak));
    made.type = "button";
    made.tabIndex = -1;   // the table beside it lists the same peaks for the keyboard
    made.dataset.peak = at.peak.peak_id;
    made.style.left = `${x}px`;
    made.style.color = colourOf(at.peak.element);
    if (at.peak.peak_id === chosen) made.classList.add("chosen");
    if (at.peak.manual) made.classList.add("manual");
    made.addEventListener("click", () => this.onClick(at.peak));
    return made;
  }
}

function leader({ at, x }) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", `M${x} ${BAND_PX - 16}V${BAND_PX - 12}L${at.x} ${BAND_PX - 3}V${BAND_PX}`);
  path.style.stroke = colourOf(at.peak.element);
  return path;
}

// In order of importance, each kept only when all kept ones can stand side by side near their peaks.
function placed(peaks, frame) {
  const ranked = [...peaks].sort((a, b) => Boolean(b.peak.element) - Boolean(a.peak.element) || b.peak.intensity - a.peak.intensity);
  let kept = [];
  for (const one of ranked.slice(0, MOST)) {
    const tried = spread([...kept.map((label) => label.at), one].sort((a, b) => a.x - b.x), frame);
    if (tried) kept = tried;
  }
  return kept;
}

// Least total movement that keeps the distance: neighbours that collide move as one group (pool adjacent violators).
function spread(peaks, frame) {
  const groups = [];
  peaks.forEach((one, i) => {
    groups.push({ sum: one.x - i * STEP_PX, count: 1 });
    while (groups.length > 1 && mean(groups.at(-2)) > mean(groups.at(-1))) {
      const last = groups.pop();
      groups.at(-1).sum += last.sum;
      groups.at(-1).count += last.count;
    }
  });
  const starts = groups.flatMap((group) => Array(group.count).fill(mean(group)));
  const labels = peaks.map((at, i) => ({ at, x: starts[i] + i * STEP_PX }));
  const good = ({ at, x }) => Math.abs(x - at.x) <= SHIFT_PX && x >= frame.left - 2 && x <= frame.right + 2;
  return labels.every(good) ? labels : null;
}

const mean = (group) => group.sum / group.count;
