"""A server that does as ElevenLabs Agents do: the signed address over HTTP, then the WebSocket.

    stand_in.py FOLDER [tls]

FOLDER has voice.wav, what its agents say, and answer.wav, what they say to a caller: 16 kHz, 16 bit, mono.
With `tls` it shows FOLDER/cert.pem, of the key FOLDER/key.pem. The port stands in the first line that is printed. What happens goes to FOLDER/log.jsonl, one object a line
with `at` in milliseconds of the Unix epoch; what an agent has heard to FOLDER/heard-N.wav. The agent's id
says how it behaves: see AGENTS; that of `scripted` stands in FOLDER/agent.
"""

import asyncio
import base64
import json
import pathlib
import secrets
import socket
import ssl
import struct
import sys
import time
import wave

from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

KEY = "stand-in-key"
# The provider says 15 minutes.
VALID_S = 900
PING_S = 1.0
PONG_S = 1.0
# Loudness from which sound is speech, and how much of it is a turn.
LOUD = 500
TURN_MS = 400

# Formats out and in, and what is done besides talking.
AGENTS = {
    "plain": ("pcm_16000", "pcm_16000"),
    "ulaw": ("ulaw_8000", "ulaw_8000"),
    "mixed": ("pcm_24000", "ulaw_8000"),
    "cd": ("pcm_44100", "pcm_22050"),
    "old": (None, None),
    "strange-format": ("mp3_44100", "pcm_16000"),
    "interrupts": ("pcm_16000", "pcm_16000"),
    "tools": ("pcm_16000", "pcm_16000"),
    "leaves": ("pcm_16000", "pcm_16000"),
    "noisy": ("pcm_16000", "pcm_16000"),
    "breaks": ("pcm_16000", "pcm_16000"),
    "resets": ("pcm_16000", "pcm_16000"),
    "mute": ("pcm_16000", "pcm_16000"),
    "late": ("pcm_16000", "pcm_16000"),
    "endless": ("pcm_16000", "pcm_16000"),
}


def read_wav(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (16_000, 2, 1)
        frames = file.readframes(file.getnframes())
    return list(struct.unpack(f"<{len(frames) // 2}h", frames))


def rate_of(name):
    return int((name or "pcm_16000").split("_")[1])


def resampled(samples, to_hz):
    """Straight lines between samples: a listener needs no more."""
    if to_hz == 16_000:
        return samples
    count = len(samples) * to_hz // 16_000
    out = []
    for index in range(count):
        at = index * 16_000 / to_hz
        left = int(at)
        right = min(left + 1, len(samples) - 1)
        out.append(int(samples[left] + (samples[right] - samples[left]) * (at - left)))
    return out


def ulaw_of(sample):
    sign = 0x80 if sample < 0 else 0
    biased = min(abs(sample), 32_635) + 132
    segment = biased.bit_length() - 8
    return ~(sign | segment << 4 | biased >> (segment + 3) & 0x0F) & 0xFF


def of_ulaw(code):
    bits = ~code & 0xFF
    segment, step = bits >> 4 & 7, bits & 0x0F
    magnitude = (((step << 3) + 132) << segment) - 132
    return -magnitude if bits & 0x80 else magnitude


def encoded(samples, name):
    samples = resampled(samples, rate_of(name))
    if name == "ulaw_8000":
        return bytes(ulaw_of(sample) for sample in samples)
    return struct.pack(f"<{len(samples)}h", *samples)


def decoded(data, name):
    if name == "ulaw_8000":
        return [of_ulaw(code) for code in data]
    return list(struct.unpack(f"<{len(data) // 2}h", data))


class StandIn:
    def __init__(self, folder, tls):
        self.folder, self.tls = folder, tls
        self.log_file = open(folder / "log.jsonl", "a", buffering=1)
        self.voice = read_wav(folder / "voice.wav")
        self.answer = read_wav(folder / "answer.wav")
        self.signatures = {}
        self.connections = 0

    def log(self, what, **more):
        line = {"at": time.time() * 1_000, "what": what, **more}
        self.log_file.write(json.dumps(line) + "\n")

    def http(self, connection, request):
        """The signed address; `None` lets the WebSocket's handshake go on."""
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        agent = query.get("agent_id", "")
        if agent == "scripted":
            agent = (self.folder / "agent").read_text().strip()
        if url.path.endswith("/v1/convai/conversation/get-signed-url"):
            return self.sign(connection, request, agent)
        if not url.path.endswith("/v1/convai/conversation"):
            return connection.respond(404, "nothing\n")
        self.log("handshake", agent=agent)
        signature = query.get("conversation_signature")
        until = self.signatures.get(signature)
        if until is None or until < time.time():
            return connection.respond(403, "no valid signature\n")
        connection.agent = agent
        return None

    def sign(self, connection, request, agent):
        is_known = request.headers.get("xi-api-key") == KEY
        status = 200 if is_known else 401
        if agent.startswith("refused-"):
            status = int(agent.removeprefix("refused-"))
        elif is_known and agent not in AGENTS:
            status = 404
        self.log("signed", agent=agent, status=status)
        if status != 200:
            detail = {"detail": {"status": "refused", "message": f"status {status}"}}
            if status == 422:
                detail = {"detail": [{"loc": ["query"], "msg": "wrong", "type": "value_error"}]}
            return connection.respond(status, json.dumps(detail))
        signature = secrets.token_hex(16)
        self.signatures[signature] = time.time() + VALID_S
        scheme = "wss" if self.tls else "ws"
        url = (
            f"{scheme}://127.0.0.1:{self.port}/v1/convai/conversation"
            f"?agent_id={agent}&conversation_signature={signature}"
        )
        response = connection.respond(200, json.dumps({"signed_url": url}))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    async def conversation(self, socket):
        self.connections += 1
        talk = Talk(self, socket, socket.agent, self.connections)
        self.log("open", agent=socket.agent, number=talk.number)
        try:
            await talk.run()
        except ConnectionClosed:
            pass
        finally:
            talk.end()
        # The close frame that the other end has sent, if it was it that closed.
        received = socket.protocol.close_rcvd
        sent_first = socket.protocol.close_rcvd_then_sent
        self.log(
            "closed",
            number=talk.number,
            code=received.code if received else None,
            reason=received.reason if received else None,
            by_client=bool(sent_first),
        )


class Talk:
    """One conversation."""

    def __init__(self, server, socket, agent, number):
        self.server, self.socket, self.agent, self.number = server, socket, agent, number
        self.out, self.into = AGENTS[agent]
        self.event_id = 0
        self.turn = 0
        self.loud_ms = 0
        self.heard = bytearray()
        self.pings = {}
        self.results = asyncio.Queue()
        self.turns = asyncio.Queue()
        self.tasks = []

    def log(self, what, **more):
        self.server.log(what, number=self.number, **more)

    def next_id(self):
        self.event_id += 1
        return self.event_id

    async def send(self, kind, **more):
        await self.socket.send(json.dumps({"type": kind, **more}))

    async def run(self):
        if not await self.initiated():
            return
        if self.agent == "late":
            await asyncio.sleep(60)
        event = {"conversation_id": f"conv_{self.number}"}
        if self.out:
            event |= {"agent_output_audio_format": self.out, "user_input_audio_format": self.into}
        await self.send(
            "conversation_initiation_metadata", conversation_initiation_metadata_event=event
        )
        self.log("metadata")
        if self.agent != "mute":
            self.tasks.append(asyncio.create_task(self.ping()))
        self.tasks.append(asyncio.create_task(self.act()))
        async for text in self.socket:
            self.receive(json.loads(text))

    async def initiated(self):
        """The client has to begin, within 5 s."""
        try:
            first = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
        except TimeoutError:
            first = {}
        if first.get("type") != "conversation_initiation_client_data":
            await self.socket.close(1008, "the first message must be the initiation")
            return False
        self.log("initiation", data=first)
        return True

    def receive(self, message):
        if "user_audio_chunk" in message:
            return self.listen(base64.b64decode(message["user_audio_chunk"]))
        kind = message["type"]
        if kind == "pong":
            sent = self.pings.pop(message["event_id"], None)
            late = sent is None or time.time() - sent > PONG_S
            self.log("bad-pong" if late else "pong", event_id=message["event_id"])
        else:
            self.log(kind, message=message)
            if kind == "client_tool_result":
                self.results.put_nowait(message)
        return None

    def listen(self, data):
        if not self.heard:
            self.log("first-sound", bytes=len(data))
        self.heard += data
        samples = decoded(data, self.into)
        loudness = sum(abs(sample) for sample in samples) / max(len(samples), 1)
        ms = 1_000 * len(samples) / rate_of(self.into)
        if loudness > LOUD:
            self.loud_ms += ms
            if self.loud_ms >= TURN_MS:
                self.loud_ms = 0
                self.turn += 1
                self.turns.put_nowait(self.turn)

    async def ping(self):
        for count in range(10_000):
            number = self.next_id()
            self.pings[number] = time.time()
            event = {"event_id": number, "ping_ms": [None, 0, 50][count % 3]}
            await self.send("ping", ping_event=event)
            await asyncio.sleep(PING_S)
            if number in self.pings:
                self.log("bad-pong", event_id=number)

    async def audio(self, samples, event_id=None):
        data = base64.b64encode(encoded(samples, self.out)).decode()
        event = {"audio_base_64": data, "event_id": event_id or self.next_id()}
        await self.send("audio", audio_event=event)

    async def say(self, text, samples):
        """All of it at once, in pieces of a quarter of a second: faster than it is spoken."""
        event = {"agent_response": text, "event_id": self.next_id()}
        await self.send("agent_response", agent_response_event=event)
        for at in range(0, len(samples), 4_000):
            await self.audio(samples[at : at + 4_000])
        self.log("said", text=text)

    async def act(self):
        try:
            await getattr(self, self.agent.replace("-", "_"), self.plain)()
        except ConnectionClosed:
            pass
        except Exception as error:  # a test reads the log
            self.log("error", text=repr(error))

    async def plain(self):
        await self.say("Good morning, this is the agent.", self.server.voice)

    async def interrupts(self):
        await self.say("This is a long story that nobody hears to its end.", self.server.voice * 3)
        await self.turns.get()
        event = {"user_transcript": "stop it please", "event_id": self.next_id()}
        await self.send("user_transcript", user_transcription_event=event)
        number = self.next_id()
        await self.send("interruption", interruption_event={"event_id": number})
        self.log("interruption", event_id=number)
        # Too late to be heard.
        for stale in range(max(number - 2, 1), number + 1):
            await self.audio(self.server.voice, stale)
        event = {
            "original_agent_response": "This is a long story that nobody hears to its end.",
            "corrected_agent_response": "This is a long story...",
            "event_id": number,
        }
        await self.send("agent_response_correction", agent_response_correction_event=event)
        # Whoever spoke over it hears a pause.
        await asyncio.sleep(1.5)
        await self.say("I have stopped.", self.server.answer)

    async def tools(self):
        await self.say("One moment.", self.server.answer)
        for name, parameters in [
            ("open_the_door", {}),
            ("hang_up", {}),
            ("take_message", {"number": "5550100"}),
            ("take_message", {"text": "Please call back.", "number": "5550100"}),
        ]:
            call = {"tool_name": name, "tool_call_id": f"call_{name}", "parameters": parameters}
            call["event_id"] = self.next_id()
            await self.send("client_tool_call", client_tool_call=call)
            result = await self.results.get()
            self.log("result", tool=name, is_error=result["is_error"], result=result["result"])

    async def leaves(self):
        await self.say("Goodbye.", self.server.answer)
        event = {"tool_name": "end_call", "tool_call_id": "x", "tool_type": "system"}
        event |= {"is_error": False, "is_called": True, "event_id": self.next_id()}
        await self.send("agent_tool_response", agent_tool_response=event)
        await self.socket.close(1000, "the agent has ended the conversation")

    async def noisy(self):
        await self.send("something_new", something_new={"a": [1, {"b": None}]})
        await self.send("audio")
        await self.send("audio", audio_event={"audio_base_64": "%%%", "event_id": 1})
        await self.send("agent_response", agent_response_event={})
        await self.send("interruption", interruption_event={"event_id": "not a number"})
        await self.send("ping", ping_event={"event_id": str(self.next_id()), "ping_ms": None})
        await self.socket.send("no JSON")
        await self.socket.send(b"\x00\x01")
        await self.send("vad_score", vad_score_event={"vad_score": 0.5})
        # 1 MiB in one frame, most of it silence.
        samples = self.server.voice
        samples = samples + [0] * (1024 * 1024 * 3 // 8 - len(samples))
        event = {"agent_response": "A large frame.", "event_id": self.next_id()}
        await self.send("agent_response", agent_response_event=event)
        await self.audio(samples)
        self.log("said", text="A large frame.")

    async def breaks(self):
        await self.say("I am going to fail.", self.server.answer)
        await asyncio.sleep(0.5)
        event = {"code": 1011, "message": "internal", "error_type": "llm_error"}
        await self.send("error", error_event=event)
        await self.socket.close(1011, "internal")

    async def resets(self):
        await self.say("I am going to vanish.", self.server.answer)
        await asyncio.sleep(0.5)
        # A reset instead of an end.
        raw = self.socket.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.transport.abort()

    async def mute(self):
        await asyncio.sleep(60)

    async def endless(self):
        while True:
            await self.say("And so on.", self.server.voice)
            await asyncio.sleep(len(self.server.voice) / 16_000)

    def end(self):
        for task in self.tasks:
            task.cancel()
        with wave.open(str(self.server.folder / f"heard-{self.number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate_of(self.into))
            samples = decoded(bytes(self.heard), self.into)
            file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


async def main():
    folder, tls = pathlib.Path(sys.argv[1]), None
    if sys.argv[2:] == ["tls"]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    stand_in = StandIn(folder, tls)
    listening = serve(
        stand_in.conversation,
        "127.0.0.1",
        0,
        process_request=stand_in.http,
        max_size=16 * 1024 * 1024,
        ping_interval=None,
        compression=None,
        ssl=tls,
    )
    async with listening as server:
        stand_in.port = server.sockets[0].getsockname()[1]
        print(stand_in.port, flush=True)
        await server.serve_forever()


asyncio.run(main())
