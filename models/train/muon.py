"""AdamW for vectors and embeddings, Muon for the hidden matrices.

Muon replaces the momentum of a matrix by the nearest orthogonal matrix. On a
model this small it costs a few percent of a step and learns in fewer of them.
"""
import torch


def orthogonalise(m):
    """Newton-Schulz iteration towards U V^T for a batch of matrices [N, A, B]."""
    x = (m / (m.norm(dim=(-2, -1), keepdim=True) + 1e-7)).bfloat16()     # three times as fast, exact enough
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.transpose(-2, -1)
    for _ in range(5):
        gram = x @ x.transpose(-2, -1)
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.transpose(-2, -1) if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Matrices of equal shape are treated together."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.02):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        """One update, scaled to the size of an early AdamW step of the same rate."""
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, params in shapes.items():
                self._update(shape, params, group)

    def _update(self, shape, params, group):
        moved = []
        for p in params:
            state = self.state[p]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(p)
            state["momentum"].mul_(group["momentum"]).add_(p.grad)
            moved.append((p.grad + group["momentum"] * state["momentum"]).flatten(1))
        updates = orthogonalise(torch.stack(moved))
        scale = 0.7 * max(updates.shape[1:]) ** 0.5
        for p, update in zip(params, updates):
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(update.view(shape), alpha=-group["lr"] * scale)


def optimisers(model, lr):
    """[Muon, AdamW] over all parameters of the model."""
    hidden, plain, vectors = [], [], []
    for name, p in model.named_parameters():
        if p.ndim < 2:
            vectors.append(p)
        elif "blocks" in name or "conv2" in name:
            hidden.append(p)
        else:
            plain.append(p)
    groups = [{"params": plain, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0.0}]
    return [Muon(hidden, lr), torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-8)]
