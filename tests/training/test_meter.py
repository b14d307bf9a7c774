import subprocess
import sys

import torch

from nmt.training.meter import peak_memory

TOLD = "import torch; from nmt.training.meter import peak_memory; print(peak_memory(torch.device('cpu')))"


def test_peak_memory_is_the_process_s_own_not_that_of_the_one_that_started_it():
    held = torch.ones(1 << 28)  # 1 GB
    own = peak_memory(torch.device("cpu"))
    of_child = float(subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, check=True).stdout)
    assert held[0] == 1 and own > 1.2 and 0.05 < of_child < 0.9
