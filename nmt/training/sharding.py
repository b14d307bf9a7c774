"""Weights, gradients and optimizer sharded over processes (FSDP2), for what one device can not hold while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch.distributed as dist
from torch import Tensor, nn

from nmt.models.interface import Model
from nmt.training.ranks import Ranks


def shard(objective: nn.Module, model: Model, ranks: Ranks) -> None:
    """Shards each block of the model by itself, and the rest together: a block is whole only while it works.

    Gradients are sums over the processes, as everywhere here.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    mesh = init_device_mesh(ranks.device.type, (ranks.count,))
    for block in model.blocks():
        fully_shard(block, mesh=mesh)
    fully_shard(objective, mesh=mesh)
    for module in objective.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def is_sharded(tensor: Tensor) -> bool:
    """Whether each process holds only some rows of the tensor."""
    if not dist.is_available() or not dist.is_initialized():
        return False
    from torch.distributed.tensor import DTensor  # late: it takes half a second

    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """All rows of a tensor. Collective where it is sharded: every process must call it."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]


def local_part(tensor: Tensor) -> Tensor:
    """The rows of a tensor that lie in this process."""
    return tensor.to_local() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]


def whole_in_all(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gathers tensors on the processor of every process, one after the other. Collective."""
    return {name: whole(tensor).cpu() for name, tensor in tensors.items()}


def whole_in_first(tensors: Mapping[str, Tensor], ranks: Ranks) -> dict[str, Tensor]:
    """Gathers tensors on the processor of the first process, one after the other; the others get none. Collective."""
    gathered = {}
    for name, tensor in tensors.items():
        rows = whole(tensor)
        if ranks.first:
            gathered[name] = rows.cpu()
    return gathered


def rows_of(rows: int, number: int, count: int) -> range:
    """The rows of a tensor that lie in process ``number`` of ``count``, as FSDP2 cuts it: equal parts, the last ones
    smaller.
    """
    each = -(-rows // count)  # rounded up
    return range(min(number * each, rows), min((number + 1) * each, rows))


def placed(value: Tensor, like: Tensor) -> Tensor:
    """A copy of ``value`` on the device of ``like``, sharded as that is.

    ``value`` is the whole tensor, or the rows of this process alone.
    """
    if not is_sharded(like) or not value.dim():
        return value.to(like.device, copy=True)
    from torch.distributed.tensor import DTensor

    mesh = like.device_mesh  # type: ignore[attr-defined]
    if value.shape == like.shape:
        rows = rows_of(len(value), mesh.get_local_rank(), mesh.size())
        value = value[rows.start : rows.stop]
    return DTensor.from_local(
        value.to(like.device, copy=True),
        mesh,
        like.placements,  # type: ignore[attr-defined]
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )
