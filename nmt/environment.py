"""Environment variables: those that a door sets before torch is imported, and those that torchrun sets."""

from __future__ import annotations

import os


def prepare_libraries() -> None:
    """Sets what PyTorch's libraries read while they are loaded; what the user has set is left alone.

    Must run before torch is imported: afterwards it changes nothing. ``docs/speed.md`` has the measurements.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        # Between two kernels an OpenMP thread spins, then sleeps. A training step is thousands of kernels: sleeping at
        # once costs a wake-up for each, and spinning for long (the default) takes the core from other processes.
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # oneDNN keeps a kernel of half a megabyte for every shape, and nearly every batch has a new one. The kernels of the
    # last batch are used again within it, and so many are kept.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")
    # A GPU's memory in pieces that can grow: nearly every batch has a new shape, and finds none of its size free.
    if "PYTORCH_ALLOC_CONF" not in os.environ:
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")


def rank_and_count() -> tuple[int, int]:
    """This process's rank and the number of processes that torchrun started; (0, 1) without torchrun."""
    rank = int(os.environ.get("RANK") or 0)
    count = int(os.environ.get("WORLD_SIZE") or 1)
    return rank, count
