"""The picture that Whisper's feature extractor makes of the last 8 s of a sound, by numpy.

Argument: a file of 16-bit samples at 16 kHz. Writes 80 rows of 800 raw float32 values to standard
output.
"""

import sys

import numpy

RATE, SAMPLES, WINDOW, HOP, BANDS = 16_000, 128_000, 400, 160, 80

sound = numpy.fromfile(sys.argv[1], dtype="<i2").astype(numpy.float64)[-SAMPLES:] / 32_768
sound = numpy.concatenate([numpy.zeros(SAMPLES - len(sound)), sound])
sound = (sound - sound.mean()) / numpy.sqrt(sound.var() + 1e-7)

hann = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(WINDOW) / WINDOW)
padded = numpy.pad(sound, WINDOW // 2, mode="reflect")
frames = [padded[at : at + WINDOW] * hann for at in range(0, SAMPLES, HOP)]
power = numpy.abs(numpy.fft.rfft(numpy.array(frames), axis=1)) ** 2


def hertz(mel):
    """Slaney's scale: linear up to 1 kHz, then 27 steps for a factor of 6.4."""
    linear = 200 / 3 * mel
    return numpy.where(mel < 15, linear, 1_000 * 6.4 ** ((mel - 15) / 27))


top = 15 + 27 * numpy.log(8) / numpy.log(6.4)
points = hertz(numpy.linspace(0, top, BANDS + 2))
bins = numpy.linspace(0, RATE / 2, WINDOW // 2 + 1)
triangles = numpy.zeros((BANDS, len(bins)))
for band in range(BANDS):
    low, middle, high = points[band : band + 3]
    rise, fall = (bins - low) / (middle - low), (high - bins) / (high - middle)
    triangles[band] = numpy.clip(numpy.minimum(rise, fall), 0, None) * 2 / (high - low)

picture = numpy.log10(numpy.maximum(triangles @ power.T, 1e-10))
picture = (numpy.maximum(picture, picture.max() - 8) + 4) / 4
sys.stdout.buffer.write(picture.astype("<f4").tobytes())
