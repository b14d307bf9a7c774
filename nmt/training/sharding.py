"""Weights, gradients and optimizer spread over processes (FSDP2), for what one device can not hold while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch.distributed as dist
from torch import Tensor, nn

from nmt.models.interface import Model
from nmt.training.ranks import Ranks


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
    return tensor.full_tensor() if is_spread(tensor) else tensor  # type: ignore[attr-defined]


def whole_in_all(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the processor of every process, one after the other."""
    return {name: whole(tensor).cpu() for name, tensor in tensors.items()}


def whole_in_first(tensors: Mapping[str, Tensor], ranks: Ranks) -> dict[str, Tensor]:
    """On the processor of the first process, one after the other; the others get nothing."""
    found = {}
    for name, tensor in tensors.items():
        gathered = whole(tensor)
        if ranks.first:
            found[name] = gathered.cpu()
    return found


def rows_of(rows: int, number: int, count: int) -> range:
    """Which of the rows of a tensor lie in a process, as FSDP2 spreads them: equal parts, the last ones smaller."""
    each = -(-rows // count)
    return range(min(number * each, rows), min((number + 1) * each, rows))


def own_part(tensor: Tensor) -> Tensor:
    """What of it lies in this process."""
    return tensor.to_local() if is_spread(tensor) else tensor  # type: ignore[attr-defined]


def placed(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, or the rows of this process alone, spread as another is."""
    if not is_spread(like) or not value.dim():
        return value.to(like.device, copy=True)
    from torch.distributed.tensor import DTensor

    mesh = like.device_mesh  # type: ignore[attr-defined]
    if value.shape == like.shape:
        rows = rows_of(len(value), mesh.get_local_rank(), mesh.size())
        value = value[rows.start : rows.stop]
    own = value.to(like.device, copy=True)
    return DTensor.from_local(
        own,
        mesh,
        like.placements,  # type: ignore[attr-defined]
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )


def is_spread(tensor: Tensor) -> bool:
    """Over processes."""
    if not dist.is_available() or not dist.is_initialized():
        return False
    from torch.distributed.tensor import DTensor  # late: it takes half a second

    return isinstance(tensor, DTensor)
