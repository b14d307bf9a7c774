"""Weights, gradients and optimizer spread over processes (FSDP2), for what one device can not hold while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch.distributed as dist
from torch import Tensor, nn

from nmt.errors import UserError, nearest
from nmt.models.interface import Model
from nmt.training.ranks import Ranks

SHARDING = ("none", "full")


def check(sharding: str) -> None:
    if sharding not in SHARDING:
        raise UserError(f"trainer.sharding={sharding}: {nearest(sharding, SHARDING)}")


def shard(objective: nn.Module, model: Model, ranks: Ranks) -> None:
    """Each block of the model by itself, and the rest together: a block is whole only while it works.

    Gradients are sums over the processes, as everywhere here.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    mesh = init_device_mesh(ranks.device.type, (ranks.count,))
    for block in model.blocks():
        fully_shard(block, mesh=mesh)
    fully_shard(objective, mesh=mesh)
    for part in objective.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that is spread; every process must call it."""
    return tensor.full_tensor() if _spread(tensor) else tensor  # type: ignore[attr-defined]


def whole_in_all(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the processor of every process, one after the other."""
    return {name: whole(tensor).cpu() for name, tensor in tensors.items()}


def whole_in_first(tensors: Mapping[str, Tensor], ranks: Ranks) -> dict[str, Tensor]:
    """On the processor of the first process, one after the other; the others get nothing."""
    found = {}
    for name, tensor in tensors.items():
        gathered = whole(tensor)
        if ranks.first:
            found[name] = gathered.cpu() if _spread(tensor) else gathered
    return found


def own_part(tensor: Tensor) -> Tensor:
    """What of it lies in this process."""
    return tensor.to_local() if _spread(tensor) else tensor  # type: ignore[attr-defined]


def placed(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, spread as another is; every process must call it with the same."""
    if not _spread(like) or value.shape != like.shape:
        return value.to(like.device, copy=True)
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)  # type: ignore[attr-defined]


def _spread(tensor: Tensor) -> bool:
    if not dist.is_available() or not dist.is_initialized():
        return False
    from torch.distributed.tensor import DTensor  # late: it takes half a second

    return isinstance(tensor, DTensor)
