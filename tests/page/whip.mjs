// Offers as other pages write them: candidates that trickle, a restart of ICE by a fragment (RFC 8840), and a bundle
// whose first line is a picture's.

import { finish, open, settings, witnessed } from "./browser.mjs";

const browser = await open(settings.microphone);
const { page, requests } = await witnessed(browser);
await page.goto(`${settings.box}/call`);
await page.evaluate(() => {
  const FRAGMENT = "application/trickle-ice-sdpfrag";
  const value = (sdp, name) => sdp.match(new RegExp(`^a=${name}:(.*)$`, "m"))?.[1].trim();
  window.whip = {
    async begin(settings, add = () => {}) {
      const connection = new RTCPeerConnection(settings);
      const found = [];
      connection.addEventListener("icecandidate", ({ candidate }) => found.push(candidate));
      const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
      add(connection);
      connection.addTrack(microphone.getAudioTracks()[0], microphone);
      const offer = await connection.createOffer();
      // Nothing is known of this end's addresses yet.
      const sent = offer.sdp.replace(/a=candidate:.*\r\n/g, "");
      const headers = { "Content-Type": "application/sdp" };
      const answer = await fetch("/webrtc/offer", { method: "POST", headers, body: sent });
      if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
      const call = { connection, found, answer: await answer.text() };
      call.place = answer.headers.get("Location");
      call.tag = answer.headers.get("ETag");
      await connection.setLocalDescription(offer);
      return call;
    },
    async fragment(call, tag) {
      const { connection, found } = call;
      const sdp = connection.localDescription.sdp;
      while (!found.includes(null)) await new Promise((done) => { setTimeout(done, 10); });
      const lines = ["ice-ufrag", "ice-pwd"].map((name) => `a=${name}:${value(sdp, name)}`);
      lines.push("m=audio 9 UDP/TLS/RTP/SAVPF 0", `a=mid:${value(sdp, "mid")}`);
      const current = value(sdp, "ice-ufrag");
      for (const one of found.splice(0)) {
        if (one?.candidate && one.usernameFragment === current) lines.push(`a=${one.candidate}`);
      }
      lines.push("a=end-of-candidates");
      const body = lines.map((line) => `${line}\r\n`).join("");
      const headers = { "Content-Type": FRAGMENT, "If-Match": tag };
      const answer = await fetch(call.place, { method: "PATCH", headers, body });
      const told = { status: answer.status, text: await answer.text(), tag: answer.headers.get("ETag") };
      return { ...told, candidates: lines.filter((line) => line.startsWith("a=candidate:")).length };
    },
    // Our last answer under the names and candidates of the fragment that came back.
    restarted(answer, fragment) {
      const kept = answer.replace(/a=(candidate:.*|end-of-candidates)\r\n/g, "");
      const candidates = fragment.match(/a=(candidate:.*|end-of-candidates)\r\n/g) ?? [];
      return kept
        .replace(/a=ice-ufrag:.*\r\n/g, `a=ice-ufrag:${value(fragment, "ice-ufrag")}\r\n`)
        .replace(/a=ice-pwd:.*\r\n/g, (pwd) => `a=ice-pwd:${value(fragment, "ice-pwd")}\r\n${candidates.join("")}`);
    },
    async packets(connection) {
      const all = [...(await connection.getStats()).values()];
      return all.find(({ type }) => type === "inbound-rtp")?.packetsReceived ?? 0;
    },
    async grows(connection, by = 50) {
      const before = await this.packets(connection);
      const end = performance.now() + 20_000;
      while ((await this.packets(connection)) < before + by) {
        if (performance.now() > end) throw new Error(`no sound: ${connection.connectionState}`);
        await new Promise((done) => { setTimeout(done, 20); });
      }
    },
    // Where the pair in use is, by the name that our side has in it.
    async pair(connection) {
      const all = await connection.getStats();
      const transport = [...all.values()].find(({ type }) => type === "transport");
      const pair = all.get(transport.selectedCandidatePairId);
      const [local, remote] = [all.get(pair.localCandidateId), all.get(pair.remoteCandidateId)];
      return { ours: local.usernameFragment, theirs: remote.usernameFragment, kind: remote.candidateType, address: remote.address };
    },
  };
});

const trickled = await page.evaluate(async () => {
  const { whip } = window;
  const call = await whip.begin({});
  const before = whip.packets(call.connection);
  const told = await whip.fragment(call, call.tag);
  const stale = await whip.fragment({ ...call, found: [null] }, '"99"');
  await call.connection.setRemoteDescription({ type: "answer", sdp: call.answer });
  await whip.grows(call.connection);
  const first = await whip.pair(call.connection);
  call.connection.restartIce();
  call.found.length = 0;
  await call.connection.setLocalDescription(await call.connection.createOffer());
  const restart = await whip.fragment(call, "*");
  const sdp = whip.restarted(call.answer, restart.text);
  await call.connection.setRemoteDescription({ type: "answer", sdp });
  await whip.grows(call.connection);
  const until = performance.now() + 10_000;
  let second = await whip.pair(call.connection);
  while (second.ours === first.ours && performance.now() < until) {
    await new Promise((done) => { setTimeout(done, 50); });
    second = await whip.pair(call.connection);
  }
  await whip.grows(call.connection);
  const closed = (await fetch(call.place, { method: "DELETE" })).status;
  call.connection.close();
  return { before: await before, told, stale, first, restart, second, closed };
});

const bundled = await page.evaluate(async () => {
  const { whip } = window;
  const add = (connection) => { connection.addTransceiver("video"); };
  const results = {};
  for (const bundlePolicy of ["max-bundle", "balanced"]) {
    const call = await whip.begin({ bundlePolicy }, add);
    await call.connection.setRemoteDescription({ type: "answer", sdp: call.answer });
    await whip.grows(call.connection);
    const offer = call.connection.localDescription.sdp;
    const lines = offer.split("\r\n").filter((line) => /^m=/.test(line)).map((line) => line.split(" ")[0]);
    // The next offers of the same page are answered, too.
    call.connection.restartIce();
    await call.connection.setLocalDescription();
    const headers = { "Content-Type": "application/sdp" };
    const body = call.connection.localDescription.sdp;
    const again = await fetch(call.place, { method: "PATCH", headers, body });
    await call.connection.setRemoteDescription({ type: "answer", sdp: await again.text() });
    await whip.grows(call.connection);
    results[bundlePolicy] = {
      lines,
      answer: call.answer.split("\r\n").filter((line) => /^(m=|a=group|a=inactive)/.test(line)),
      closed: (await fetch(call.place, { method: "DELETE" })).status,
    };
    call.connection.close();
  }
  return results;
});

// Over IPv6 alone: neither end knows another address of the other one.
const ipv6 = await page.evaluate(async () => {
  const { whip } = window;
  const call = await whip.begin({});
  const isOther = (line) => /^a=candidate:/.test(line) && !/ udp \d+ [0-9a-f]*:[0-9a-f:]+ /i.test(line);
  const answer = call.answer.split("\r\n").filter((line) => !isOther(line)).join("\r\n");
  if (!/a=candidate:/.test(answer)) {
    await fetch(call.place, { method: "DELETE" });
    return null;
  }
  while (!call.found.includes(null)) await new Promise((done) => { setTimeout(done, 10); });
  call.found = call.found.filter((one) => one === null || !isOther(`a=${one.candidate}`));
  const told = await whip.fragment(call, call.tag);
  await call.connection.setRemoteDescription({ type: "answer", sdp: answer });
  await whip.grows(call.connection);
  const pair = await whip.pair(call.connection);
  const closed = (await fetch(call.place, { method: "DELETE" })).status;
  call.connection.close();
  return { told, pair, closed };
});

await finish(browser, { trickled, bundled, ipv6, requests });
