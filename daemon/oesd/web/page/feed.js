// GET /events, kept open: it comes back by itself, at first soon and then less often, and says so.
const FIRST_MS = 500;
const LONGEST_MS = 8000;
const SILENT_MS = 30000;   // the daemon says something each ten seconds; one that went away without a word, or hangs, closes nothing

export class Feed {
  // handlers: { state, spectrum, change, alarm } each take a document; link(open, since, next) tells of the connection.
  constructor(handlers, link) {
    this.handlers = handlers;
    this.link = link;
    this.points = 2400;
    this.wait = FIRST_MS;
    this.heard = null;
  }

  open() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = new EventSource(`/events?points=${this.points}`);
    this.source.addEventListener("open", () => this.opened());
    this.source.addEventListener("error", () => this.failed());
    for (const [name, take] of Object.entries(this.handlers)) {
      this.source.addEventListener(name, (event) => { this.hear(); take(JSON.parse(event.data)); });
    }
    this.hear(false);
  }

  // More points when a person looks closer; the connection is made anew.
  detail(points) {
    if (points === this.points) return;
    this.points = points;
    this.open();
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    this.source?.close();
  }

  opened() {
    this.wait = FIRST_MS;
    this.hear();
    this.link(true, this.heard, 0);
  }

  hear(now = true) {
    if (now) this.heard = new Date();
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.failed(), SILENT_MS);
  }

  failed() {
    this.source.close();
    clearTimeout(this.watch);
    clearTimeout(this.timer);
    this.link(false, this.heard, this.wait);
    this.timer = setTimeout(() => this.open(), this.wait * (0.8 + 0.4 * Math.random()));
    this.wait = Math.min(this.wait * 2, LONGEST_MS);
  }
}
