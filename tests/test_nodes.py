"""Several machines, as far as one can play them: network namespaces with a wire between, a torchrun in each."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import door
from tests.processes import process_of, start, torchrun, wait_for_step
from tests.test_ranks import equal, options, weights

pytestmark = pytest.mark.slow
HEAD, OTHER = "10.91.0.1", "10.91.0.2"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def nodes() -> Iterator[dict[str, str]]:
    """Address to namespace."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2's ip")
    names = {address: f"nmt-{os.getpid()}-{number}" for number, address in enumerate((HEAD, OTHER))}
    first, second = names.values()
    try:
        for name in (first, second):
            ip("netns", "add", name)
        ip("link", "add", "wire", "netns", first, "type", "veth", "peer", "name", "wire", "netns", second)
        for address, name in names.items():
            ip("-n", name, "address", "add", f"{address}/24", "dev", "wire")
            for device in ("lo", "wire"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def start_node(folder: Path, namespace: str, address: str, arguments: list[str]) -> subprocess.Popen[bytes]:
    """As scripts/slurm.sbatch does on every node."""
    options = ["--nnodes", "2", "--max-restarts", "2", "--rdzv-backend", "c10d", "--rdzv-id", "test"]
    options += ["--rdzv-endpoint", f"{HEAD}:29500", "--local-addr", address]
    options += ["--rdzv-conf", f"is_host={address == HEAD}"]  # both have one host name here
    launcher = ["ip", "netns", "exec", namespace, *torchrun(1, *options)]
    variables = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "GLOO_SOCKET_IFNAME": "wire"}
    return start(folder, arguments, launcher, **variables)


def end(launchers: list[subprocess.Popen[bytes]]) -> None:
    for launcher in launchers:
        _, errors = launcher.communicate(timeout=240)
        assert launcher.returncode == 0, errors.decode()


def test_two_nodes_make_the_weights_of_one_and_a_killed_process_is_made_good(nodes, tmp_path):
    made = options("attention", 80, "trainer.log_every=5")
    alone = door("train", *made, "run.dir=one", "trainer.accumulate=2", folder=tmp_path)
    assert alone.returncode == 0, alone.stderr.decode()
    launchers = [start_node(tmp_path, name, address, [*made, "run.dir=two"]) for address, name in nodes.items()]
    end(launchers)
    equal(weights(tmp_path / "two", 80), weights(tmp_path / "one", 80))
    launchers = [start_node(tmp_path, name, address, [*made, "run.dir=cut"]) for address, name in nodes.items()]
    wait_for_step(tmp_path / "cut", 25)
    for launcher in launchers:
        try:
            os.kill(process_of(launcher, 1), signal.SIGKILL)
            break
        except AssertionError:  # process 1 is on the other node
            continue
    else:
        raise AssertionError("no process 1")
    end(launchers)
    equal(weights(tmp_path / "cut", 80), weights(tmp_path / "one", 80))
