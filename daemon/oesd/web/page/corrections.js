// What a spectrum was freed of, told with it: a dark that is missing or out of its limits shows without being asked for.
import { element, holding, showOnce } from "/words.js";

const WORDS = { nonlinearity: "non-linearity", stray_light: "stray light", shorter_exposure: "saturation, by a shorter exposure" };
const named = ({ name }) => WORDS[name] ?? name;

function summed(corrections) {
  const doubtful = corrections.find((one) => one.doubtful);
  if (doubtful) return `${doubtful.applied ? `Look at the ${named(doubtful)}` : `Not corrected for ${named(doubtful)}`}: ${doubtful.note}`;
  const done = corrections.filter((one) => one.applied && one.name !== "boxcar").map(named);
  return done.length ? `Corrected for ${done.join(", ")}` : "Not corrected";
}

function row(one) {
  const line = holding("li", "", element("b", "", named(one)), ` ${one.applied ? "corrected" : "not corrected"}: ${one.note}`);
  if (one.doubtful) line.dataset.level = "wait";
  return line;
}

export function tellCorrections(host, corrections) {
  host.hidden = !corrections.length;
  host.classList.toggle("doubtful", corrections.some((one) => one.doubtful));
  const [summary, list] = host.children;
  const words = corrections.length ? summed(corrections) : "";
  if (summary.textContent !== words) summary.textContent = words;
  showOnce(list, corrections, () => corrections.map(row));
}
