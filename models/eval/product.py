"""Asks the product what recordings say: `attendant transcribe`, by the way that a call's sound takes.

Nothing here decodes anything itself; a figure of the evaluation is what a caller would meet.
"""
import json
import subprocess
import sys
import tempfile


class Product:
    """One build of the product with one model."""

    def __init__(self, program, model="starter", threads=1):
        self.command = [str(program), "transcribe", "--json", "--config", "/dev/null",
                        "--model", str(model), "--threads", str(threads)]

    def hear(self, files, way=()):
        """-> what the product prints of each file, in their order; one process reads them all."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as paths:
            paths.write("\n".join(str(f) for f in files))
            paths.flush()
            ran = subprocess.run([*self.command, *way, "--list", paths.name], capture_output=True, text=True)
        reports = [json.loads(line) for line in ran.stdout.splitlines()]
        failed = [r["error"] for r in reports if "error" in r]
        if ran.returncode or failed or len(reports) != len(files):
            sys.exit(f"{' '.join(self.command)}: exit code {ran.returncode}\n{ran.stderr[-2000:]}")
        return reports


def text(report, least=0.0):
    """All that was heard with at least this confidence."""
    return " ".join(u["text"] for u in report["utterances"] if u["heard"] == "words" and u["confidence"] >= least)


def decode_ms(report):
    """Time in the recogniser."""
    return sum(u["decode_ms"] for u in report["utterances"])
