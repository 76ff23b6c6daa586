"""Everything from nothing to a quantised model file; run.sh gives it its environment.

It can be stopped and started again: finished shards are kept, and the training
goes on from its last checkpoint.
"""
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import ggml
from generate import Maker
from model import load
from train import train

HERE = Path(__file__).resolve().parent
NO_PEOPLE = "No --human folder: the model will know synthetic voices only and will not hear people well."


def _generators(a, shards):
    """Background processes that write the shards which are still missing."""
    processes = []
    for seed in range(1, a.generators + 1):
        done = len(list((a.out / "data").glob(f"s{seed:03d}-*.pkl")))
        missing = (shards + a.generators - seed) // a.generators - done
        if missing <= 0:
            continue
        command = [sys.executable, str(HERE / "generate.py"), str(a.out / "data"), "--seed", str(seed),
                   "--first", str(done), "--shards", str(missing), "--size", str(a.size)]
        if a.human:
            command += ["--human", str(a.human)]
        processes.append(subprocess.Popen(command, preexec_fn=lambda: os.nice(5)))
    return processes


def _cutter(a, shards):
    """A background process that cuts the shards, once they are all there, where words end."""
    command = [sys.executable, str(HERE / "unfinished.py"), str(a.out / "data"), str(a.unfinished), "--after", str(shards)]
    return subprocess.Popen(command, preexec_fn=lambda: os.nice(5))


def _wait_for_shards(folder, count, processes):
    while len(list(folder.glob("s*.pkl"))) < count:
        if any(p.poll() not in (None, 0) for p in processes):
            raise SystemExit("the generation of examples failed")
        if all(p.poll() == 0 for p in processes) and len(list(folder.glob("s*.pkl"))) < count:
            raise SystemExit(f"{folder}: {count} shards were to be there; remove the folder and begin anew")
        time.sleep(1)


def _export(checkpoint, out):
    model, state = load(checkpoint)
    f16 = out / "starter-en-f16.bin"
    ggml.export(model.eval(), f16)
    for how in ("q8_0", "q5_0"):
        ggml.quantise(f16, out / f"ggml-starter-en-{how}.bin", how)
    print(f"step {state['step']}: wrote {out}/ggml-starter-en-q8_0.bin and -q5_0.bin")


def main():
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", type=Path, default=HERE / "work" / "run")
    p.add_argument("--human", type=Path, help="folder of human recordings; see README.md")
    p.add_argument("--minutes", type=float, default=150)
    p.add_argument("--start", type=Path, help="an earlier model to begin with: its checkpoint (model.pt) or its file (.bin, q8_0 or f16)")
    p.add_argument("--unfinished", type=Path,
                   help="checkpoint (model.pt) that finds the words' ends at which sentences are cut")
    p.add_argument("--rate", type=float, help="peak learning rate")
    p.add_argument("--shards", type=int, default=80)
    p.add_argument("--size", type=int, default=500, help="examples in a shard")
    p.add_argument("--workers", type=int, default=1, help="training processes, one thread each")
    p.add_argument("--generators", type=int, default=2, help="processes that make examples")
    p.add_argument("--twentieth", action="store_true",
                   help="the whole recipe at a twentieth of its size, to show that it can be done again")
    p.add_argument("--smoke", action="store_true", help="a minute that shows that everything works; the model is useless")
    p.add_argument("--export-only", action="store_true", help="write the files from the last checkpoint")
    a = p.parse_args()
    if a.twentieth:
        a.minutes, a.shards = a.minutes / 20, max(1, a.shards // 20)
    if a.smoke:
        a.minutes, a.shards, a.size, a.generators = 0.5, 2, 60, 1
    checkpoint = a.out / "model.pt"
    if not a.export_only:
        (a.out / "data").mkdir(parents=True, exist_ok=True)
        print("People: " + str(a.human) if a.human else NO_PEOPLE, flush=True)
        Maker(0, a.out / "data", a.human)               # the lexicon, before several processes want it
        processes = _generators(a, a.shards)
        _wait_for_shards(a.out / "data", min(2 if a.smoke else 6, a.shards), processes)
        if a.unfinished:
            processes.append(_cutter(a, a.shards))
        train(a.out / "data", checkpoint, a.minutes, a.rate or (1.2e-3 if a.start else 2e-3), workers=a.workers, start=a.start)
        for process in processes:
            process.terminate()
    _export(checkpoint, a.out)


if __name__ == "__main__":
    main()
