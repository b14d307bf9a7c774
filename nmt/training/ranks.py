"""The processes that train one model together, as torchrun starts them. Alone, all of this costs nothing."""

from __future__ import annotations

import itertools
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nmt.environment import check_meeting, number_of, rank_and_count
from nmt.errors import UserError

log = logging.getLogger("nmt")

BUCKET = 25 << 20  # bytes of gradients that travel together
_OTHERS = re.compile("gloo|nccl|by peer", re.IGNORECASE)  # in messages of what carries tensors between processes
PREPARATION = timedelta(days=2)  # what the first process may take for the corpus before the others give up


def processes_here() -> int:
    """Returns how many processes torchrun started on this machine; 1 without it."""
    _, count = rank_and_count()
    here = number_of("LOCAL_WORLD_SIZE") or 1
    return min(count, here)  # 1 where a launcher left it


@dataclass(frozen=True)
class Ranks:
    """This process, and how many there are. All that processes share passes through here."""

    number: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    minutes: float = 0.0  # after which an answer that doesn't come ends the run
    store: dist.Store = field(default_factory=dist.HashStore, repr=False)  # carries small messages
    # Calls come in the same order in every process, so a number makes each of their keys new.
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @property
    def first(self) -> bool:
        return self.number == 0

    def gather(self, values: Sequence[float], place: str) -> Tensor:
        """The values of each process, as (processes, values). Collective, as all that follows."""
        rows = self.gather_tensors(torch.tensor(values, dtype=torch.float64), place)
        return torch.stack(rows)

    def gather_tensors(self, tensor: Tensor, place: str) -> list[Tensor]:
        """The tensor of each process, all of one size, on the processor."""
        if self.count == 1:
            return [tensor]
        sent = tensor.to(self.device)
        rows = [torch.empty_like(sent) for _ in range(self.count)]
        with self.waiting(place):
            dist.all_gather(rows, sent)
            return [row.cpu() for row in rows]

    def sum_gradients(self, parameters: Iterable[nn.Parameter], place: str) -> None:
        """Replaces gradients by their sums over all processes. One that had nothing to learn from adds zeros.

        Not DistributedDataParallel, which sends gradients from within the backward pass: a process that has no batch,
        or runs out of memory and starts again with smaller ones, would leave the others waiting for ever.
        """
        if self.count == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        with self.waiting(place):
            before: Travelling | None = None
            for bucket in _buckets(gradients):  # one travels while the next is put together
                travelling = Travelling(bucket)
                if before is not None:
                    before.receive()
                before = travelling
            if before is not None:
                before.receive()

    def first_tells(self, work: Callable[[], Any], place: str) -> Any:
        """Runs ``work`` in the first process and returns its result (JSON holds it) in all; they wait however long."""
        if self.count == 1:
            return work()
        key = f"{place} {next(self._numbers)}"
        if self.first:
            result = work()
            self.store.set(key, json.dumps(result))
            return result
        with self.waiting(place):
            self.store.wait([key], PREPARATION)
            return json.loads(self.store.get(key))

    def all_tell(self, message: Any, place: str) -> list[Any]:
        """The message of each process (JSON holds it), however long the others take."""
        if self.count == 1:
            return [message]
        key = f"{place} {next(self._numbers)}"
        keys = [f"{key} of {number}" for number in range(self.count)]
        self.store.set(keys[self.number], json.dumps(message))
        with self.waiting(place):
            self.store.wait(keys, PREPARATION)
            return [json.loads(answer) for answer in self.store.multi_get(keys)]

    @contextmanager
    def waiting(self, place: str) -> Iterator[None]:
        """Raises a UserError that names ``place`` where the others do not answer."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise self._unanswered(error, place) from None

    @contextmanager
    def working(self, place: Callable[[], str]) -> Iterator[None]:
        """Does as `waiting` for code that communicates in places, as FSDP does.

        Only errors of the communication become a UserError; all others pass.
        """
        try:
            yield
        except RuntimeError as error:
            is_of_others = isinstance(error, dist.DistError) or _OTHERS.search(str(error))
            if self.count == 1 or not is_of_others:
                raise
            raise self._unanswered(error, place()) from None

    def _unanswered(self, error: RuntimeError, place: str) -> UserError:
        message = str(error).strip() or type(error).__name__
        reason = re.sub(r"\[/\S+\] |\. This is typically.*", "", message.splitlines()[0])
        return UserError(
            f"process {self.number} of {self.count}: the others did not answer at '{place}' ({reason}); see what "
            f"ended them, or trainer.timeout_minutes={self.minutes:g}; the same command goes on from the last "
            "checkpoint"
        )


class Travelling:
    """A bucket of gradients on its way to be summed over all processes."""

    def __init__(self, gradients: list[Tensor]):
        self.gradients = gradients
        self.flat = torch.cat([gradient.view(-1) for gradient in gradients])
        self.work = dist.all_reduce(self.flat, async_op=True)

    def receive(self) -> None:
        """Waits for the sums and puts them into the gradients."""
        self.work.wait()
        sizes = [gradient.numel() for gradient in self.gradients]
        for gradient, summed in zip(self.gradients, self.flat.split(sizes), strict=True):
            gradient.copy_(summed.view_as(gradient))


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors in groups of about ``BUCKET`` bytes."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        bucket.append(tensor)
        size += tensor.numel() * tensor.element_size()
        if size >= BUCKET:
            yield bucket
            bucket = []
            size = 0
    if bucket:
        yield bucket


@contextmanager
def join_ranks(device: torch.device, minutes: float) -> Iterator[Ranks]:
    """Meets the other processes that torchrun started, over NCCL on GPUs and gloo on CPUs; alone without it.

    Raises UserError where they don't come.
    """
    number, count = rank_and_count()
    if count == 1:
        yield Ranks(device=device)
        return
    check_meeting()
    if number:
        log.setLevel(logging.WARNING)
    timeout = timedelta(minutes=minutes)
    backend = "gloo"
    device_id = None
    if device.type == "cuda":
        backend = "nccl"
        device_id = device
    os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # or NCCL itself ends the process, without a word of where
    with Ranks(number, count, device, minutes).waiting("meeting"):
        meeting, _, _ = next(dist.rendezvous("env://", number, count, timeout=timeout))
        # torchrun keeps its store over restarts: without a name of their own, processes would look for those of the
        # attempt before, which are gone (seen as a hang with gloo and torch 2.13).
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.PrefixStore(f"attempt {attempt}", meeting)
        dist.init_process_group(
            backend,
            timeout=timeout,
            store=store,
            rank=number,
            world_size=count,
            device_id=device_id,
        )
    try:
        yield Ranks(number, count, device, minutes, store)
    finally:
        dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process among those of its machine."""
    number = number_of("LOCAL_RANK")
    _, processes = rank_and_count()
    if device.type != "cuda" or device.index is not None or number is None or processes == 1:
        return device
    count = torch.cuda.device_count()
    if number >= count:
        raise UserError(f"torchrun started process {number} on a machine of {count} GPUs; lower --nproc-per-node")
    gpu = torch.device("cuda", number)
    torch.cuda.set_device(gpu)
    return gpu
