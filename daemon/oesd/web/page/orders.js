// Orders from the page: each is confirmed in a dialog, and carries the token that a person has pasted into this tab.
// The page never holds the token by itself: it stays in sessionStorage, and goes with the tab.
const KEPT = "oesd-token";
const PATIENCE_MS = 10000;
const $ = (id) => document.getElementById(id);

const QUESTIONS = {
  dark: ["Take a dark", "Block the light first: close the shutter, cap the fibre, or switch the plasma off. A dark that shows light is refused.", "The light is blocked: take it"],
  reference: ["Take a reference", "Bring the reference light before the spectrometer first.", "The reference light is on: take it"],
  start: ["Start a run", "The run that is on ends, and one with these labels begins.", "Start"],
  stop: ["Stop the run", "The ordered run ends; the configuration's own order takes over again.", "Stop"],
  pause: ["Pause", "No spectrum is taken until it is resumed; the slots are lost as paused.", "Pause"],
  resume: ["Resume", "Spectra are taken again.", "Resume"],
};

function labelsOf(text) {
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

function refusal(answer, status) {
  const detail = answer?.detail;
  if (Array.isArray(detail)) return detail.map((fault) => fault.msg).join("; ");
  return typeof detail === "string" ? detail : `answered with ${status}`;
}

async function send(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-API-KEY": sessionStorage.getItem(KEPT) ?? "" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const said = await answer.json().catch(() => null);
  if (answer.status === 401) sessionStorage.removeItem(KEPT);
  if (!answer.ok) throw new Error(answer.status === 401 ? "this is not the token of this daemon" : refusal(said, answer.status));
  return said;
}

function wordsOf(what, device, answer) {
  if (answer.ordered) return answer.ordered.length ? `${what} ordered` : "no such spectrometer is at work";
  return answer.spectrometers?.[device] ?? "done";
}

// Shows the dialog; `tell` gets a sentence once the order was taken.
export function ask(what, device, directory, tell) {
  const [title, text, yes] = QUESTIONS[what];
  $("ask-title").textContent = `${title}: ${device}`;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  $("ask-run").hidden = what !== "start";
  $("ask-key").hidden = sessionStorage.getItem(KEPT) !== null;
  $("ask-where").textContent = `in the file ${directory ?? "DATA"}/api-token; kept in this tab only`;
  $("ask-trouble").textContent = "";
  $("ask-yes").onclick = () => give(what, device, tell);
  $("ask-no").onclick = () => $("ask").close();
  $("ask").showModal();
}

async function give(what, device, tell) {
  const token = $("ask-token").value.trim();
  if (token) sessionStorage.setItem(KEPT, token);
  $("ask-token").value = "";
  $("ask-yes").disabled = true;
  try {
    const answer = await send(...bodyOf(what, device));
    $("ask").close();
    tell(wordsOf(what, device, answer));
  } catch (problem) {
    $("ask-trouble").textContent = problem.message;
    $("ask-key").hidden = sessionStorage.getItem(KEPT) !== null;
  } finally {
    $("ask-yes").disabled = false;
  }
}
