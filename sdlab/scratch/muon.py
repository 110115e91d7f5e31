"""Muon for the matrices, AdamW for the rest, as one optimizer.

Muon (Jordan et al. 2024) replaces the gradient of a matrix by the nearest orthogonal one, found by five Newton–Schulz steps; a
convolution counts as the matrix of its flattened kernels. The update is scaled to the size of AdamW's (Liu et al. 2025,
arXiv:2502.16982, eq. 4), so that one learning rate serves both. `torch.optim.Muon` takes two-dimensional weights only.
"""

from collections import defaultdict

import torch

ENDS = ("embedding", "conv_in", "conv_out", "quant_conv", "enter", "leave")  # first and last layers, which Muon is not for


def orthogonalize(matrices):
    """The nearest orthogonal matrices, roughly: a batch (N, m, n) through five Newton–Schulz steps in bf16."""
    x = matrices.bfloat16()
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT  # (N, m, m)
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x if wide else x.mT


def groups(*modules):
    """Parameter groups for `Muon`: hidden matrices and convolutions, and all the rest (embeddings, ends, norms, biases)."""
    matrices, rest = [], []
    for module in modules:
        for name, p in module.named_parameters():
            end = any(word in name for word in ENDS)
            (matrices if p.ndim >= 2 and not end else rest).append(p)
    return [{"params": matrices, "matrices": True}, {"params": rest, "matrices": False}]


class Muon(torch.optim.Optimizer):
    """Muon on the groups marked `matrices`, AdamW on the others.

    Args:
        param_groups: from `groups`.
        lr: the learning rate of both.
        momentum: Muon's momentum (Nesterov).
        betas, eps: AdamW's.
        weight_decay: decoupled, for the matrices only.
    """

    def __init__(self, param_groups, lr=1e-3, momentum=0.95, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01):
        super().__init__(param_groups, {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            (self._muon if group["matrices"] else self._adamw)(group)

    def _muon(self, group):
        by_shape = defaultdict(list)
        for p in group["params"]:
            if p.grad is not None:
                by_shape[(p.shape[0], p[0].numel())].append(p)
        for shape, params in by_shape.items():  # one batched product per shape
            directions = []
            for p in params:
                state = self.state[p]
                if "velocity" not in state:
                    state["velocity"] = torch.zeros_like(p)
                state["velocity"].lerp_(p.grad, 1 - group["momentum"])
                directions.append(p.grad.lerp(state["velocity"], group["momentum"]).reshape(shape))
            updates = orthogonalize(torch.stack(directions)) * (0.2 * max(shape) ** 0.5)
            for p, update in zip(params, updates, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.reshape(p.shape).to(p.dtype), alpha=-group["lr"])

    def _adamw(self, group):
        beta1, beta2 = group["betas"]
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state |= {"step": 0, "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
            state["step"] += 1
            state["mean"].lerp_(p.grad, 1 - beta1)
            state["square"].lerp_(p.grad.square(), 1 - beta2)
            size = (state["square"] / (1 - beta2 ** state["step"])).sqrt_().add_(group["eps"])
            p.addcdiv_(state["mean"], size, value=-group["lr"] / (1 - beta1 ** state["step"]))
