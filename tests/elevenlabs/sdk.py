"""The provider's own client talks to the stand-in: what it takes for an agent is one.

    sdk.py URL AGENT

Prints one object: what the client has heard and been told.
"""

import json
import struct
import sys
import threading
import time

from elevenlabs.client import ElevenLabs
from elevenlabs.conversational_ai.conversation import AudioInterface, ClientTools, Conversation

url, agent = sys.argv[1:3]
seen = {"audio": 0, "interrupts": 0, "responses": [], "corrections": [], "transcripts": [], "tools": []}


class Microphone(AudioInterface):
    """A tone of 440 Hz for half a second, again and again, with silence between."""

    def start(self, input_callback):
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.speak, args=(input_callback,))
        self.thread.start()

    def speak(self, give):
        tone = [8_000 if index // 18 % 2 else -8_000 for index in range(4_000)]
        count = 0
        while not self.is_over.wait(0.25):
            count += 1
            samples = tone if count % 6 in (4, 5) else [0] * 4_000
            give(struct.pack("<4000h", *samples))

    def stop(self):
        self.is_over.set()

    def output(self, audio):
        seen["audio"] += len(audio)

    def interrupt(self):
        seen["interrupts"] += 1


tools = ClientTools()
tools.register("take_message", lambda parameters: seen["tools"].append(parameters) or "done")
client = ElevenLabs(api_key="stand-in-key", base_url=url)
conversation = Conversation(
    client,
    agent,
    requires_auth=True,
    audio_interface=Microphone(),
    client_tools=tools,
    callback_agent_response=lambda text: seen["responses"].append(text),
    callback_agent_response_correction=lambda old, new: seen["corrections"].append([old, new]),
    callback_user_transcript=lambda text: seen["transcripts"].append(text),
)
conversation.start_session()
time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 4)
conversation.end_session()
seen["conversation"] = conversation.wait_for_session_end()
print(json.dumps(seen))
