// One call from this browser: a connection for the sound, a session of the box for offer and answer
// (RFC 9725), and what is said.

// How often the box is asked how far the call is.
const LOOK_MS = 400;
// Candidates of this browser are waited for so long; those that come later are of little use.
const GATHER_MS = 700;
// So many questions without an answer, while there is no sound either: the box is gone.
const MOST_SILENT = 8;
// A way that is lost may come back by itself.
const LOST_MS = 2500;

/** Why a call did not come about, or broke off, in words for whoever called. */
export class CallError extends Error {}

async function ask(path, method, value) {
  const token = sessionStorage.getItem("token");
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  const request = { method, cache: "no-store", headers };
  if (value) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(value);
  }
  // A page that is being left still tells that.
  if (method === "DELETE") request.keepalive = true;
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new CallError("The box does not answer. Is it running, and is the network there?");
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const again = answer.headers.get("Retry-After");
  const told = body.detail ?? `the box answers ${answer.status}`;
  const error = new CallError(`The box does not take the call: ${told}.${again ? ` Try again in ${again} s.` : ""}`);
  error.status = answer.status;
  throw error;
}

/**
 * Events: `up` (there is sound), `lost`, `words` (detail: what the box knows of the call), `over` (detail: the
 * reason, a text).
 */
export class Line extends EventTarget {
  #connection = new RTCPeerConnection();
  #session = null;
  #looking;
  #losing;
  #isOver = false;
  #isRestarting = false;
  #silent = 0;

  constructor(microphone) {
    super();
    this.microphone = microphone;
    this.remote = new MediaStream();
    const connection = this.#connection;
    for (const track of microphone.getAudioTracks()) {
      connection.addTrack(track, microphone);
      track.addEventListener("ended", () => this.hangUp("The microphone is gone."));
    }
    connection.addEventListener("track", ({ track }) => this.remote.addTrack(track));
    connection.addEventListener("connectionstatechange", () => this.#changed());
  }

  async call() {
    const offer = await this.#offer();
    let answer;
    try {
      answer = await ask("/webrtc/offer", "POST", offer);
    } catch (error) {
      this.#end(null);
      throw error;
    }
    this.#session = `/webrtc/${answer.session}`;
    // Somebody may have hung up before there was anything to hang up.
    if (this.#isOver) return this.#close();
    await this.#connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    this.#look();
  }

  /** Another way for the sound, as after a change of networks; the call goes on. */
  async restart() {
    if (!this.#session || this.#isOver || this.#isRestarting) return;
    this.#isRestarting = true;
    try {
      this.#connection.restartIce();
      const answer = await ask(this.#session, "PATCH", await this.#offer());
      await this.#connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    } catch (error) {
      // It is tried again as long as the box knows of the call.
      if (error.status === 404) this.#end("The call has ended.");
    } finally {
      this.#isRestarting = false;
    }
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
    await connection.setLocalDescription();
    await new Promise((done) => {
      if (connection.iceGatheringState === "complete") return done();
      setTimeout(done, GATHER_MS);
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") done();
      });
    });
    const { type, sdp } = connection.localDescription;
    return { type, sdp };
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

  async #look() {
    clearTimeout(this.#looking);
    let known = null;
    try {
      known = await ask(this.#session, "GET");
      this.#silent = 0;
    } catch (error) {
      if (error.status === 404) return this.#end("The call has ended.");
      // While there is sound it may be the way of the questions alone that is lost.
      this.#silent += 1;
      if (this.#silent >= MOST_SILENT && this.#connection.connectionState !== "connected") {
        return this.#end("The box does not answer any more.");
      }
    }
    if (known) this.#tell("words", known);
    if (known?.state === "ended") return this.#end(known.ending?.text ?? "The call has ended.");
    if (!this.#isOver) this.#looking = setTimeout(() => this.#look(), LOOK_MS);
  }

  #close() {
    if (this.#session) ask(this.#session, "DELETE").catch(() => {});
  }

  #end(reason) {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#looking);
    clearTimeout(this.#losing);
    this.#connection.close();
    for (const track of this.microphone.getTracks()) track.stop();
    if (reason !== null) this.#tell("over", reason);
  }

  #tell(name, detail) {
    if (!this.#isOver || name === "over" || name === "words") {
      this.dispatchEvent(new CustomEvent(name, { detail }));
    }
  }
}
