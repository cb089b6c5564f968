// Calls to the daemon. What changes something carries the token that a person has pasted into this tab:
// the page never holds it by itself, it stays in sessionStorage and goes with the tab.
import { $ } from "/words.js";

const KEPT = "oesd-token";
const PATIENCE_MS = 10000;
export const LONG_MS = 60000;   // what is computed from many spectra
let directory = "DATA";

export class Cancelled extends Error {}

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const tokenLiesIn = (path) => { directory = path ?? directory; };

function refusal(answer, status) {
  const detail = answer?.detail;
  if (Array.isArray(detail)) return detail.map((fault) => fault.msg).join("; ");
  return typeof detail === "string" ? detail : `answered with ${status}`;
}

// [the answer, the document in it]; an Error whose message is for a person when there is none.
async function answered(path, options, patience) {
  try {
    const answer = await fetch(path, { ...options, signal: AbortSignal.timeout(patience) });
    const said = await answer.text();
    return [answer, answer.headers.get("content-type")?.startsWith("application/json") ? JSON.parse(said) : null];
  } catch (problem) {
    throw new Error(problem.name === "TimeoutError" ? `no answer within ${patience / 1000} s: the daemon is busy, try again` : "the daemon does not answer");
  }
}

export async function get(path, patience = PATIENCE_MS) {
  const [answer, said] = await answered(path, {}, patience);
  if (!answer.ok) throw new Refused(refusal(said, answer.status), answer.status);
  return said;
}

// Asks for the token until the daemon takes it; Cancelled when the person does not want to.
export async function send(method, path, body, patience = PATIENCE_MS) {
  let trouble = "";
  for (;;) {
    const token = sessionStorage.getItem(KEPT) ?? await askToken(trouble);
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
    const [answer, said] = await answered(path, { method, headers, body: JSON.stringify(body) }, patience);
    if (answer.ok) return said;
    if (answer.status !== 401) throw new Refused(refusal(said, answer.status), answer.status);
    sessionStorage.removeItem(KEPT);
    trouble = "That is not the token of this daemon.";
  }
}

function askToken(trouble) {
  const dialog = $("token");
  $("token-where").textContent = `${directory}/api-token`;
  $("token-trouble").textContent = trouble;
  $("token-text").value = "";
  dialog.showModal();
  return new Promise((done, gone) => {
    const away = new AbortController();
    const { signal } = away;
    const end = () => { away.abort(); dialog.close(); };
    $("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const token = $("token-text").value.trim();
      if (!token) return;
      sessionStorage.setItem(KEPT, token);
      end();
      done(token);
    }, { signal });
    $("token-no").addEventListener("click", () => { end(); gone(new Cancelled("cancelled")); }, { signal });
    dialog.addEventListener("cancel", () => { away.abort(); gone(new Cancelled("cancelled")); }, { signal });
  });
}
