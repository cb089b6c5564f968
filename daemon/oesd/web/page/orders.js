// Orders to a spectrometer: each is confirmed in a dialog before it is sent.
import { Cancelled, send } from "/calls.js";
import { $, labelsText } from "/words.js";

const QUESTIONS = {
  dark: ["Take a dark", "Block the light first: close the shutter, cap the fibre, or switch the plasma off. A dark that shows light is refused.", "The light is blocked: take it"],
  reference: ["Take a reference", "Bring the reference light before the spectrometer first.", "The reference light is on: take it"],
  start: ["Start a run", "The run that is on ends, and one with these labels begins.", "Start"],
  stop: ["Stop the run", "The ordered run ends; the configuration's own order takes over again.", "Stop"],
  label: ["Labels of the run", "Spectra from the next one on carry these labels; those that were taken keep theirs.", "Change"],
  pause: ["Pause", "No spectrum is taken until it is resumed; the slots are lost as paused.", "Pause"],
  resume: ["Resume", "Spectra are taken again.", "Resume"],
};

export function labelsOf(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return Object.fromEntries(lines.map((line) => {
    const at = line.indexOf("=");
    if (at < 1) throw new Error(`${line}: write name=text, such as sample=GaN-7`);
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  }));
}

function bodyOf(what, device) {
  if (what === "dark" || what === "reference") return ["/captures", { kind: what, device }];
  const body = { action: what, device };
  if (what === "start") {
    body.labels = labelsOf($("ask-labels").value);
    for (const name of ["duration", "every"]) {
      const text = $(`ask-${name}`).value.trim();
      if (text) body[name] = text;
    }
  }
  return ["/runs", body];
}

function wordsOf(what, device, answer) {
  if (answer.ordered) return answer.ordered.length ? `${what} ordered` : "no such spectrometer is at work";
  return answer.spectrometers?.[device] ?? "done";
}

// Labels of a run that is on, all of them as they shall be: what is not written any more goes.
export function askLabels(run, tell) {
  show("label", run.device_name, () => relabel(run, tell));
  $("ask-labels").value = Object.entries(run.labels).map(([name, text]) => `${name}=${text}`).join("\n");
}

async function relabel(run, tell) {
  const labels = { ...Object.fromEntries(Object.keys(run.labels).map((name) => [name, null])), ...labelsOf($("ask-labels").value) };
  const said = await send("PATCH", `/runs/${encodeURIComponent(run.run_id)}`, { labels, device: run.device_name });
  tell(`${run.device_name}: ${labelsText(said.labels[run.device_name]) || "no label"} from the next spectrum on`);
}

// Shows the dialog; `tell` gets a sentence once the order was taken.
export function ask(what, device, tell) {
  if (what === "start") $("ask-labels").value = "";
  show(what, device, async () => tell(wordsOf(what, device, await send("POST", ...bodyOf(what, device)))));
}

function show(what, device, order) {
  const [title, text, yes] = QUESTIONS[what];
  $("ask-title").textContent = `${title}: ${device}`;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  $("ask-run").hidden = !["start", "label"].includes(what);
  $("ask-times").hidden = what !== "start";
  $("ask-trouble").textContent = "";
  $("ask-yes").onclick = () => give(order);
  $("ask-no").onclick = () => $("ask").close();
  $("ask").showModal();
}

async function give(order) {
  $("ask-yes").disabled = true;
  try {
    await order();
    $("ask").close();
  } catch (problem) {
    $("ask-trouble").textContent = problem instanceof Cancelled ? "" : problem.message;
  } finally {
    $("ask-yes").disabled = false;
  }
}
