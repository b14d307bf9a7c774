"""Neural machine translation models, trained and compared.

What PyTorch's libraries read from the environment when they are loaded, set before that where the user has not:
"""

import os

if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    # Threads that wait for the next kernel: asleep, each of thousands a step has to wake them; awake for long, as is
    # the default, they take the processor from whatever else runs, and from each other (docs/speed.md).
    os.environ["GOMP_SPINCOUNT"] = "3000"
# oneDNN keeps a kernel for every shape that it met, half a megabyte each, and nearly every batch has a new one. So many
# are those of the last batch, within which they are used again.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
os.environ.setdefault("LRU_CACHE_CAPACITY", "64")
