// What the box sends as it changes. Nothing is asked for again and again.

// A stream that is silent for so long is lost: the box sends figures every second.
const SILENCE = 5000;

export class Live {
  #source = null;
  #asked = "";
  #timer = null;
  #told;

  // `told` gets the name and the data of each part, "opened" before all of them, and "lost" when the box does
  // not answer.
  constructor(told) {
    this.#told = told;
  }

  watch(asked) {
    if (this.#source !== null && this.#asked === asked) return;
    this.#asked = asked;
    this.open();
  }

  open() {
    this.close();
    const source = new EventSource(`/api/live${this.#asked}`);
    this.#source = source;
    for (const part of ["health", "calls", "call", "updates", "trials", "log"]) {
      source.addEventListener(part, (event) => {
        this.#hears();
        this.#told(part, JSON.parse(event.data));
      });
    }
    // Each stream begins with everything.
    source.onopen = () => this.#told("opened");
    source.onerror = () => {
      this.#told("lost");
      // A refusal ends it for good, anything else it tries again by itself.
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#refused(), 2000);
    };
    this.#hears();
  }

  // So that whoever is let in again begins another one.
  #refused() {
    this.close();
    this.#told("refused");
  }

  #hears() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#told("lost"), SILENCE);
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}
