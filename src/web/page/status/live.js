// What the box sends as it changes. Nothing is asked for again and again.

// A stream that is silent for so long is lost: the box sends figures every second.
const SILENCE = 5000;

export class Live {
  #source = null;
  #call = null;
  #timer = null;
  #told;

  // `told` gets the name and the data of each part, and "lost" when the box does not answer.
  constructor(told) {
    this.#told = told;
  }

  watch(call) {
    if (this.#source !== null && this.#call === call) return;
    this.#call = call;
    this.open();
  }

  open() {
    this.close();
    const source = new EventSource(this.#call ? `/api/live?call=${encodeURIComponent(this.#call)}` : "/api/live");
    this.#source = source;
    for (const part of ["health", "calls", "call"]) {
      source.addEventListener(part, (event) => {
        this.#hears();
        this.#told(part, JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      this.#told("lost");
      // A refusal ends it for good, anything else it tries again by itself.
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#told("refused"), 2000);
    };
    this.#hears();
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
