// GET /events of a hub: EventSource carries no key, so the stream is read by hand. It comes back by itself.
const FIRST_MS = 500;
const LONGEST_MS = 8000;
const SILENT_MS = 30000;   // the hub says something each ten seconds; a line that says nothing is dead

export class Stream {
  // path(), headers(): asked anew at each attempt. handlers: each takes a document; link(open, refused) tells of the line.
  constructor(path, headers, handlers, link) {
    Object.assign(this, { path, headers, handlers, link });
    this.turn = 0;
  }

  open() {
    this.close();
    this.wait = FIRST_MS;
    this.keep(this.turn);
  }

  close() {
    this.turn += 1;
    clearTimeout(this.timer);
    this.away?.abort();
  }

  async keep(turn) {
    this.away = new AbortController();
    let refused = "";
    try {
      const answer = await fetch(this.path(), { cache: "no-store", headers: this.headers(), signal: this.away.signal });
      if (answer.ok) await this.read(answer.body.getReader(), turn); else refused = (await answer.json()).detail;
    } catch { /* the line broke, or was closed */ }
    clearTimeout(this.watch);
    if (turn !== this.turn) return;
    this.link(false, typeof refused === "string" ? refused : "");
    this.timer = setTimeout(() => this.keep(turn), this.wait * (0.8 + 0.4 * Math.random()));
    this.wait = Math.min(this.wait * 2, LONGEST_MS);
  }

  async read(reader, turn) {
    const decoder = new TextDecoder();
    this.wait = FIRST_MS;
    this.link(true, "");
    for (let text = "";;) {
      clearTimeout(this.watch);
      this.watch = setTimeout(() => this.away.abort(), SILENT_MS);
      const { value, done } = await reader.read();
      if (done || turn !== this.turn) return;
      const parts = (text + decoder.decode(value, { stream: true })).split("\n\n");
      text = parts.pop();
      for (const part of parts) this.take(part);
    }
  }

  take(part) {
    const told = Object.fromEntries(part.split("\n").map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]));
    if (told.event) this.handlers[told.event]?.(JSON.parse(told.data));
  }
}
