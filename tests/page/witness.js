// Runs before the page's own scripts: keeps its connections, and what comes on them as 16-bit samples.
window.witness = {
  connections: [],
  heard: [],
  rate: 16000,
  until(isSo, within = 20000) {
    return new Promise((done, failed) => {
      const end = performance.now() + within;
      const look = () => {
        if (isSo()) return done();
        if (performance.now() < end) return setTimeout(look, 10);
        const shown = (id) => document.getElementById(id).textContent;
        failed(new Error(`not within ${within} ms: ${isSo}; ${shown("state")} ${shown("error")}`));
      };
      look();
    });
  },
  record(track) {
    const context = new AudioContext({ sampleRate: this.rate });
    const taker = context.createScriptProcessor(1024, 1, 1);
    taker.onaudioprocess = ({ inputBuffer }) => {
      const samples = inputBuffer.getChannelData(0);
      this.heard.push(...samples.map((value) => Math.round(Math.max(-1, Math.min(1, value)) * 32767)));
    };
    context.createMediaStreamSource(new MediaStream([track])).connect(taker);
    taker.connect(context.destination);
  },
  async packets() {
    const all = [...(await this.connections.at(-1).getStats()).values()];
    return all.find(({ type }) => type === "inbound-rtp")?.packetsReceived ?? 0;
  },
  name() {
    return this.connections.at(-1).remoteDescription?.sdp.match(/a=ice-ufrag:(\S+)/)[1];
  },
};
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...settings) {
    super(...settings);
    window.witness.connections.push(this);
    this.addEventListener("track", ({ track }) => {
      if (window.witness.isRecording) window.witness.record(track);
    });
  }
};
