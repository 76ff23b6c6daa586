"""Calls a box with aiortc, in the manner of WHIP, and prints what came of it as JSON.

    python aiortc_call.py http://BOX SAID.wav HEARD.wav SECONDS [CODEC]
"""

import asyncio
import fractions
import json
import re
import sys
import time
import urllib.error
import urllib.request
import wave

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

RATE = 16_000
FRAME = RATE // 50


class Microphone(MediaStreamTrack):
    """A file, then silence, at its own pace."""

    kind = "audio"

    def __init__(self, path):
        super().__init__()
        with wave.open(path) as file:
            assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
            self.samples = file.readframes(file.getnframes())
        self.sent = 0
        self.began = None

    async def recv(self):
        self.began = self.began or time.monotonic()
        await asyncio.sleep(max(0, self.began + self.sent / RATE - time.monotonic()))
        samples = self.samples[2 * self.sent : 2 * (self.sent + FRAME)].ljust(2 * FRAME, b"\0")
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples)
        frame.sample_rate, frame.pts = RATE, self.sent
        frame.time_base = fractions.Fraction(1, RATE)
        self.sent += FRAME
        return frame


async def record(track, heard):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    try:
        while True:
            for frame in resampler.resample(await track.recv()):
                heard.extend(bytes(frame.planes[0])[: 2 * frame.samples])
    except MediaStreamError:
        pass


def ask(method, url, kind=None, body=None):
    headers = {"Content-Type": kind} if kind else {}
    data = body.encode() if body else None
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


async def call(box, said, seconds, codec):
    connection, heard, states = RTCPeerConnection(), bytearray(), []
    connection.on("track", lambda track: asyncio.ensure_future(record(track, heard)))
    connection.on("connectionstatechange", lambda: states.append(connection.connectionState))
    connection.addTrack(Microphone(said))
    if codec:
        known = RTCRtpSender.getCapabilities("audio").codecs
        wanted = [one for one in known if one.mimeType.lower() == f"audio/{codec}".lower()]
        connection.getTransceivers()[0].setCodecPreferences(wanted)
    await connection.setLocalDescription(await connection.createOffer())
    offer = connection.localDescription.sdp
    post = (asyncio.to_thread, ask, "POST", f"{box}/webrtc/offer", "application/sdp", offer)
    status, headers, answer = await post[0](*post[1:])
    told = {"opened": status, "location": headers.get("Location"), "tag": headers.get("ETag")}
    if status != 201:
        return {**told, "error": answer}, heard
    session = box + headers["Location"]
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    lines = re.findall(r"a=(?:ice-ufrag|candidate|mid|end-of-candidates).*", offer)
    fragment = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" + "".join(f"{line.strip()}\r\n" for line in lines)
    kind = "application/trickle-ice-sdpfrag"
    told["trickled"] = (await asyncio.to_thread(ask, "PATCH", session, kind, fragment))[0]
    told["garbage"] = (await asyncio.to_thread(ask, "PATCH", session, kind, "a=candidate:x"))[0]
    await asyncio.sleep(seconds)
    told["words"] = json.loads((await asyncio.to_thread(ask, "GET", session))[2])
    told["deleted"] = [(await asyncio.to_thread(ask, "DELETE", session))[0] for _ in range(2)]
    await connection.close()
    return {**told, "states": states}, heard


def main():
    box, said, heard_path, seconds = sys.argv[1:5]
    codec = sys.argv[5] if len(sys.argv) > 5 else None
    told, heard = asyncio.run(call(box, said, float(seconds), codec))
    with wave.open(heard_path, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(heard))
    print(json.dumps(told))


main()
