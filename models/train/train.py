"""Trains the model on a folder of shards: python train.py SHARDS CHECKPOINT --minutes N

The learning rate follows the share of the minutes that is spent, so a run ends
on time on any machine. It resumes from the checkpoint if there is one, and
takes up shards that appear while it runs.
"""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")          # before numpy: idle BLAS threads spin and cost a third
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")     # of the processor

import argparse
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn import functional as F

import ggml
from align import Spans, attention_loss
from data import Batcher, Shards
from lexicon import Lexicon
from model import DIMS, Whisper, grow, load, save, used_tokens
from muon import optimisers

CTC_WEIGHT = (0.6, 0.3)        # first and second half
LOOK_WEIGHT = 0.3
GPU_FEEDERS = 8                # a GPU waits for batches, so more cores make them


def device():
    """The GPU if there is one; for a model of this size a processor will do."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _feed(folder, used, seed, queue, progress, warm):
    """Process that makes batches; it keeps the training process free for arithmetic."""
    os.nice(2)
    torch.set_num_threads(1)
    shards = Shards(folder, used)
    while not shards.scan():
        time.sleep(2)
    spans = Spans(Lexicon(Path(folder) / "lexicon.json"))
    batcher, scanned = Batcher(shards, used, seed, warm, spans), time.time()
    for batch in batcher:
        batcher.progress = progress.value
        queue.put((len(shards.examples), batch))
        if time.time() - scanned > 30:
            shards.scan()
            scanned = time.time()


def learning_rate(peak, step, progress):
    """Warm-up by steps, constant for 35 % of the time, then down to nothing."""
    late = max(0.0, (progress - 0.35) / 0.65)
    return peak * min(1.0, (step + 1) / 150) * max(0.01, 1 - late)


def losses(model, batch):
    """-> (cross entropy, phoneme CTC, attention beside the token, share of right tokens)"""
    mel, inputs, outputs, lengths, phone_lengths, phones, spans = batch
    at = next(model.parameters()).device
    mel, inputs, outputs = mel.to(at), inputs.to(at), outputs.to(at)
    watched = model.decoder.blocks[-1].cross_attn.watched = []
    with torch.autocast(at.type, torch.bfloat16):
        heard = model.encoder(mel)
        frames = model.ctc(heard)
        logits = model.logits(inputs, heard)
    ce = F.cross_entropy(logits.flatten(0, 1).float(), outputs.flatten(), ignore_index=-100)
    known = phone_lengths > 0                           # noise and foreign speech have nothing to align
    ctc, looking = ce.new_zeros(()), ce.new_zeros(())
    if known.any():
        log_probs = frames[known.to(at)].float().log_softmax(-1).transpose(0, 1)
        ctc = F.ctc_loss(log_probs, phones.to(at), lengths[known], phone_lengths[known],
                         blank=model.ctc.out_features - 1, zero_infinity=True)
        if ctc.item() < 2.0:                            # before that the alignment is a guess
            certain = frames.detach().float().log_softmax(-1).cpu()
            looking = attention_loss(watched[0], certain, lengths, phone_lengths, phones, spans)
    with torch.no_grad():
        right = (logits.argmax(-1) == outputs)[outputs >= 0].float().mean()
    return ce, ctc, looking, right


class Run:
    """One training run with its clock, which goes on where a resumed run stopped."""

    def __init__(self, folder, checkpoint, minutes, peak, start=None):
        self.checkpoint, self.budget, self.peak = Path(checkpoint), minutes * 60, peak
        self.warm = start is not None
        self.step, self.spent = 0, 0.0
        if self.checkpoint.exists():
            self.model, state = load(self.checkpoint)
            self.step, self.spent = state["step"], state["spent"]
        else:
            lexicon, state = Lexicon(Path(folder) / "lexicon.json"), {}
            used = used_tokens((Path(folder) / "transcripts.txt").read_text().splitlines())
            self.model = grow(start, DIMS, used, lexicon.phones) if start else Whisper(DIMS, used, lexicon.phones)
        self.model.to(device())
        self.optimisers = optimisers(self.model, peak)
        for optimiser, old in zip(self.optimisers, state.get("optimisers", [])):
            optimiser.load_state_dict(old)
        self.started = time.time() - self.spent
        self.sums = torch.zeros(6)
        self.tick()

    def tick(self):
        """Reads the clock once per step."""
        self.progress = (time.time() - self.started) / self.budget

    def _average_gradients(self):
        """Shares the gradients, and the clock with them so that all workers stop after the same step."""
        if not dist.is_initialized():
            return
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        flat = torch.cat([p.grad.flatten() for p in parameters] + [torch.tensor([self.progress])])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for p, part in zip(parameters, flat[:-1].split([p.numel() for p in parameters])):
            p.grad.copy_(part.view_as(p))
        self.progress = flat[-1].item()

    def train_step(self, batch):
        """One update."""
        lr = learning_rate(self.peak, self.step, self.progress)
        for group in (g for o in self.optimisers for g in o.param_groups):
            group["lr"] = lr
        ce, ctc, looking, right = losses(self.model, batch)
        (ce + CTC_WEIGHT[self.progress > 0.5] * ctc + LOOK_WEIGHT * looking).backward()
        self._average_gradients()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.model.zero_grad(set_to_none=True)
        self.step += 1
        self.sums += torch.tensor([ce.item(), ctc.item(), looking.item(), right.item(), len(batch[0]), 1])
        return lr

    def report(self, lr, examples):
        """Prints the averages since the last report."""
        ce, ctc, looking, right, size = (self.sums / self.sums[-1]).tolist()[:5]
        self.sums.zero_()
        print(f"step {self.step} {time.time() - self.started:.0f} s cpu {time.process_time():.0f} lr {lr:.1e} ce {ce:.3f} "
              f"ctc {ctc:.3f} look {looking:.3f} right {right:.3f} batch {size:.1f} examples {examples}", flush=True)

    def save(self):
        """Writes the checkpoint."""
        save(self.model, self.checkpoint, step=self.step, spent=time.time() - self.started,
             optimisers=[o.state_dict() for o in self.optimisers])


def _start_feeders(run, folder, seed):
    """-> (processes, their queue, the progress that they see)"""
    context = mp.get_context("spawn")
    queue, progress = context.Queue(maxsize=12), context.Value("d", run.progress)
    count = 1 if device().type == "cpu" else max(1, min(GPU_FEEDERS, (os.cpu_count() or 2) - 1))
    feeders = [context.Process(target=_feed, args=(str(folder), run.model.used, seed + 104729 * n, queue, progress, run.warm))
               for n in range(count)]
    for feeder in feeders:
        feeder.start()
    return feeders, queue, progress


def _work(rank, workers, folder, checkpoint, minutes, peak, seed, start):
    """One of the training processes; the first one reports and saves."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    if workers > 1:
        dist.init_process_group("gloo", init_method=f"file://{checkpoint}.rendezvous", rank=rank, world_size=workers)
    run = Run(folder, checkpoint, minutes, peak, start)
    feeders, queue, progress = _start_feeders(run, folder, seed + run.step + 7919 * rank)
    saved = time.time()
    try:
        while run.progress < 1:
            examples, batch = queue.get()
            run.tick()
            lr = run.train_step(batch)
            progress.value = run.progress
            if rank == 0 and run.step % 50 == 0:
                run.report(lr, examples)
            if rank == 0 and time.time() - saved > 180:
                run.save()
                saved = time.time()
        if rank == 0:
            run.save()
    finally:
        for feeder in feeders:
            feeder.kill()
            feeder.join()


def train(folder, checkpoint, minutes, peak=2e-3, seed=1, workers=1, start=None):
    """Trains until the minutes are spent. Several one-thread processes that share gradients
    are faster on a busy machine than one process with several threads; with a GPU one is enough."""
    workers = workers if device().type == "cpu" else 1
    print(f"trains on {device()} with {workers} process{'es' if workers > 1 else ''}", flush=True)
    Path(f"{checkpoint}.rendezvous").unlink(missing_ok=True)
    arguments = (workers, folder, checkpoint, minutes, peak, seed, start)
    if workers == 1:
        _work(0, *arguments)
    else:
        mp.spawn(_work, arguments, nprocs=workers)
    return load(checkpoint)[0].eval()


def main():
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("shards", type=Path)
    p.add_argument("checkpoint", type=Path)
    p.add_argument("--minutes", type=float, default=100)
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--workers", type=int, default=1, help="processes, one thread each")
    p.add_argument("--start", type=Path, help="checkpoint or file of an earlier model to begin with")
    a = p.parse_args()
    model = train(a.shards, a.checkpoint, a.minutes, a.rate, workers=a.workers, start=a.start)
    ggml.export(model, a.checkpoint.with_suffix(".f16.bin"))


if __name__ == "__main__":
    main()
