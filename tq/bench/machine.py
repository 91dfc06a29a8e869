"""What a figure was measured on; without it the figure says little."""

import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import psutil


def describe_machine(data_dir: Path) -> dict[str, str | int]:
    """The machine, the interpreter, the libraries that matter, and what an fsync costs where the data lies."""
    return {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count() or 0,
        "memory_mib": psutil.virtual_memory().total >> 20,
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(data_dir),
        "fsync_us": _fsync_us(data_dir),
        "python": sys.version.split()[0],
        "tq": version("tq"),
        "rocksdict": version("rocksdict"),
        "load_before": f"{os.getloadavg()[0]:.2f}",
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(directory: Path) -> str:
    mounts = [part for part in psutil.disk_partitions(all=True) if directory.resolve().is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"


def _fsync_us(directory: Path, rounds: int = 50) -> int:
    """The median of appending 4 KiB and making it durable."""
    path = directory / "fsync.probe"
    costs = []
    with path.open("wb", buffering=0) as probe:
        for _ in range(rounds):
            started = time.perf_counter_ns()
            probe.write(bytes(4_096))
            os.fsync(probe.fileno())
            costs.append(time.perf_counter_ns() - started)
    path.unlink()
    return sorted(costs)[rounds // 2] // 1_000
