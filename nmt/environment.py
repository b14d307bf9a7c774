"""Environment variables: those that a door sets before torch is imported, and those that torchrun sets."""

from __future__ import annotations

import os

from nmt.errors import UserError

MEND = "start several processes with torchrun, or unset what a launcher left: unset RANK WORLD_SIZE LOCAL_RANK"


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


def drop_empty_variables() -> None:
    """Takes an empty NMT_DATA for none: configurations would read corpora from the root of the disk."""
    if not os.environ.get("NMT_DATA"):
        os.environ.pop("NMT_DATA", None)


def rank_and_count() -> tuple[int, int]:
    """This process's rank and the number of processes that torchrun started; (0, 1) without torchrun.

    One of RANK and WORLD_SIZE alone was left by something else, and counts for nothing (`left_over` says so). Raises
    UserError where they are no numbers, or do not fit together.
    """
    rank = number_of("RANK")
    count = number_of("WORLD_SIZE")
    if rank is None or count is None:
        return 0, 1
    if rank >= count:
        raise UserError(f"RANK={rank}, WORLD_SIZE={count}: ranks count from 0 to WORLD_SIZE - 1; {MEND}")
    return rank, count


def number_of(name: str) -> int | None:
    """Returns the number that a launcher has set; None where it is not set, or empty.

    Raises UserError for what is no number.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"{name}={text}: not a number of processes, a rank or a port; {MEND}")
    return int(text)


def left_over() -> str:
    """Says which of RANK and WORLD_SIZE is set without the other, and so passed over; empty where none is."""
    rank = number_of("RANK")
    count = number_of("WORLD_SIZE")
    if rank and count is None:
        return f"RANK={rank}, but no WORLD_SIZE: left over from a launcher; this process works alone"
    if (count or 1) > 1 and rank is None:
        return f"WORLD_SIZE={count}, but no RANK: left over from a launcher; this process works alone"
    return ""


def can_meet() -> bool:
    """Whether the variables are set by which several processes find each other."""
    return bool(os.environ.get("MASTER_ADDR")) and number_of("MASTER_PORT") is not None


def check_meeting() -> None:
    """Raises UserError where there are several processes and no place to meet."""
    rank, count = rank_and_count()
    if count > 1 and not can_meet():
        given = f"RANK={rank}, WORLD_SIZE={count}"
        raise UserError(f"{given}: without MASTER_ADDR and MASTER_PORT, which torchrun sets; {MEND}")


def is_torchrun() -> bool:
    """Whether torchrun itself started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ
