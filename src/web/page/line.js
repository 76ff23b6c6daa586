// One call from this browser: a connection for the sound, a session of the box for offer and answer (RFC 9725), and what
// is said, as it is said. The box is where this file comes from, so that a page of another site imports it from there;
// the box's owner names that site in a token's origins.

// What is found of this browser's addresses by then goes with the offer, the rest after it.
const GATHER_MS = 100;
// A way that is lost may come back by itself.
const LOST_MS = 2500;
// Before what is said is asked for again, after its stream was lost.
const AGAIN_MS = [0, 500, 1000, 2000];
// So often without an answer, while there is no sound either: the box is gone.
const MOST_LOST = 5;

const JSON_TYPE = "application/json";
const FRAGMENT = "application/trickle-ice-sdpfrag";

/** Why a call did not come about, or broke off, in words for whoever called; `status` is the box's, if it has answered. */
export class CallError extends Error {}

/**
 * Events: `up` (there is sound), `lost`, `words` (detail: what the box knows of the call, with `turns` and `partial`),
 * `over` (detail: the reason, a text).
 */
export class Line extends EventTarget {
  #connection = new RTCPeerConnection();
  #token;
  #to;
  #offering;
  #sessions;
  #fields;
  #sender;
  #session = null;
  #tag = null;
  #found = [];
  #isTelling = false;
  #isRestarting = false;
  #isOver = false;
  #losing;
  #following = new AbortController();
  #known = { turns: [], partial: null };

  /**
   * `token`: of the box, with the scope `webrtc`, where it has any. `to`: whom is wanted, as `called` names it.
   * Who listens to a call in place of making one says where that is asked for (`offering`), where its sessions are, and
   * with which header fields the box is asked (`fields`, a function); and may have no microphone yet.
   */
  constructor(microphone, { token = null, to = null, offering = "webrtc/offer", sessions = "webrtc", fields = () => ({}) } = {}) {
    super();
    this.#token = token;
    this.#to = to;
    this.#offering = offering;
    this.#sessions = sessions;
    this.#fields = fields;
    this.microphone = microphone ?? new MediaStream();
    this.remote = new MediaStream();
    const connection = this.#connection;
    for (const track of this.microphone.getAudioTracks()) {
      this.#sender = connection.addTrack(track, microphone);
      track.addEventListener("ended", () => this.hangUp("The microphone is gone."));
    }
    this.#sender ??= connection.addTransceiver("audio", { direction: "sendrecv" }).sender;
    connection.addEventListener("track", ({ track }) => this.remote.addTrack(track));
    connection.addEventListener("connectionstatechange", () => this.#changed());
    connection.addEventListener("icecandidate", ({ candidate }) => {
      this.#found.push(candidate);
      this.#trickle();
    });
  }

  async call() {
    try {
      const offer = await this.#offer();
      // Somebody may have hung up before there was anything to hang up.
      if (this.#isOver) return;
      const answer = await this.#describe(this.#offering, "POST", this.#to === null ? offer : { ...offer, to: this.#to });
      this.#session = `${this.#sessions}/${answer.session}`;
      this.answer = answer;
      if (this.#isOver) return this.#close();
      await this.#connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    } catch (error) {
      // Who has hung up meanwhile knows, and has closed it all.
      if (this.#isOver) return;
      // Nothing stays open: not the microphone, not the connection, not the call at the box.
      this.#close();
      this.#end(null);
      throw error;
    }
    if (this.#isOver) return;
    this.#trickle();
    if (this.#sessions === "webrtc") this.#follow();
  }

  /** From here on this is heard at the other end, without another offer; null: nothing is. */
  async speak(microphone) {
    for (const track of this.microphone.getTracks()) track.stop();
    this.microphone = microphone ?? new MediaStream();
    const [track = null] = this.microphone.getAudioTracks();
    // Over before it was allowed: it stays on for nobody.
    if (this.#isOver) return track?.stop();
    await this.#sender.replaceTrack(track);
  }

  /** Another way for the sound, as after a change of networks; the call goes on. */
  async restart() {
    if (!this.#session || this.#isOver || this.#isRestarting) return;
    this.#isRestarting = true;
    try {
      this.#connection.restartIce();
      const answer = await this.#describe(this.#session, "PATCH", await this.#offer());
      await this.#connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    } catch (error) {
      // It is tried again as long as the box knows of the call.
      if (error.status === 404) this.#end("The call has ended.");
    } finally {
      this.#isRestarting = false;
    }
    this.#trickle();
  }

  mute(isMuted) {
    for (const track of this.microphone.getAudioTracks()) track.enabled = !isMuted;
  }

  /** RFC 4733; false where the box takes no keys. */
  press(key) {
    const sender = this.#connection.getSenders().find(({ dtmf }) => dtmf?.canInsertDTMF);
    sender?.dtmf.insertDTMF(sender.dtmf.toneBuffer + key, 120, 60);
    return Boolean(sender);
  }

  hangUp(reason = "You have hung up.") {
    if (!this.#isOver) this.#close();
    this.#end(reason);
  }

  async #offer() {
    const connection = this.#connection;
    // Those of before are of no use any more.
    this.#found = [];
    await connection.setLocalDescription();
    await new Promise((done) => {
      if (connection.iceGatheringState === "complete") return done();
      setTimeout(done, GATHER_MS);
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") done();
      });
    });
    const { type, sdp } = connection.localDescription;
    // As far as the port: what stands behind it is written otherwise in the description.
    const address = (one) => one.candidate.split(" ").slice(0, 6).join(" ");
    this.#found = this.#found.filter((one) => one?.candidate && !sdp.includes(address(one)));
    return { type, sdp };
  }

  // Addresses that are found after the offer (RFC 8840), for the names in ICE that the box knows.
  async #trickle() {
    if (!this.#session || this.#isTelling) return;
    this.#isTelling = true;
    try {
      while (this.#found.length > 0 && !this.#isOver && !this.#isRestarting) {
        const body = fragment(this.#connection.localDescription.sdp, this.#found.splice(0));
        await this.#ask(this.#session, "PATCH", { type: FRAGMENT, body, fields: { "If-Match": this.#tag } });
      }
    } catch {
      // The box finds this browser by its checks, too.
    } finally {
      this.#isTelling = false;
    }
  }

  #changed() {
    const state = this.#connection.connectionState;
    clearTimeout(this.#losing);
    if (state === "connected") this.#tell("up");
    if (state !== "disconnected" && state !== "failed") return;
    this.#tell("lost");
    this.#losing = setTimeout(async () => {
      await this.restart();
      this.#changed();
    }, LOST_MS);
  }

  // The box tells what changes; this asks again only where the stream of that was lost.
  async #follow() {
    for (let lost = 0; !this.#isOver; lost += 1) {
      let again = 0;
      try {
        const fields = { Accept: "text/event-stream" };
        const signal = this.#following.signal;
        const answer = await this.#ask(`${this.#session}/events`, "GET", { fields, signal });
        this.#known.partial = null;
        for await (const [name, data] of events(answer.body)) {
          lost = 0;
          this.#told(name, data);
        }
      } catch (error) {
        if (error.status === 404) return this.#end("The call has ended.");
        again = error.again ?? 0;
        // While there is sound it may be the way of the words alone that is lost.
        if (lost >= MOST_LOST && this.#connection.connectionState !== "connected") {
          return this.#end("The box does not answer any more.");
        }
      }
      const wait = Math.max(again * 1000, AGAIN_MS[Math.min(lost, AGAIN_MS.length - 1)]);
      if (!this.#isOver) await new Promise((done) => { setTimeout(done, wait); });
    }
  }

  #told(name, data) {
    const known = this.#known;
    if (name === "state") Object.assign(known, data);
    if (name === "turn") known.turns[data.number] = data;
    if (name === "partial") known.partial = data;
    this.#tell("words", known);
    if (known.state === "ended") this.#end(known.ending?.text ?? "The call has ended.");
  }

  async #describe(path, method, description) {
    const answer = await this.#ask(path, method, { type: JSON_TYPE, body: JSON.stringify(description) });
    this.#tag = answer.headers.get("ETag");
    return answer.json();
  }

  async #ask(path, method, { type, body, fields = {}, signal } = {}) {
    const headers = { ...this.#fields(), ...fields };
    if (this.#token !== null) headers.Authorization = `Bearer ${this.#token}`;
    if (type) headers["Content-Type"] = type;
    // A page that is being left still tells that.
    const request = { method, headers, body, signal, cache: "no-store", keepalive: method === "DELETE" };
    let answer;
    try {
      answer = await fetch(new URL(path, import.meta.url), request);
    } catch {
      throw new CallError("The box does not answer. Is it running, and is the network there?");
    }
    if (answer.ok) return answer;
    const told = (await answer.json().catch(() => ({}))).detail ?? `the box answers ${answer.status}`;
    // In seconds, as the box says it; a proxy may say a date, which is not waited for.
    const again = Number(answer.headers.get("Retry-After")) || 0;
    const error = new CallError(`The box does not take the call: ${told}.${again ? ` Try again in ${again} s.` : ""}`);
    error.status = answer.status;
    error.again = again;
    throw error;
  }

  #close() {
    if (this.#session) this.#ask(this.#session, "DELETE").catch(() => {});
  }

  #end(reason) {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#losing);
    this.#following.abort();
    this.#connection.close();
    for (const track of this.microphone.getTracks()) track.stop();
    if (reason !== null) this.#tell("over", reason);
  }

  #tell(name, detail) {
    if (!this.#isOver || name === "over") this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

// Of a description and what was found since; `null` is the end of it.
function fragment(sdp, found) {
  const value = (name) => sdp.match(new RegExp(`^a=${name}:(.*)$`, "m"))?.[1].trim();
  const lines = [
    `a=ice-ufrag:${value("ice-ufrag")}`,
    `a=ice-pwd:${value("ice-pwd")}`,
    "m=audio 9 UDP/TLS/RTP/SAVPF 0",
    `a=mid:${value("mid")}`,
    ...found.map((one) => (one?.candidate ? `a=${one.candidate}` : "a=end-of-candidates")),
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}

// Server-sent events by fetch, which can send a token where EventSource cannot.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s));
      const field = (name) => fields.find(([key]) => key === name)?.[1];
      if (field("data") !== undefined) yield [field("event"), JSON.parse(field("data"))];
    }
  }
}
