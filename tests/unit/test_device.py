"""Which device a job takes."""

from __future__ import annotations

import os
import tempfile

import pytest
import torch

from adaclip.errors import UsageError
from adaclip.runs import device


def test_cpu_is_always_there():
    torch.use_deterministic_algorithms(False)
    assert device.take_device("cpu") == torch.device("cpu")
    assert not torch.are_deterministic_algorithms_enabled()
    assert device.take_device("cpu", training=True) == torch.device("cpu")
    assert torch.are_deterministic_algorithms_enabled()
    assert device.peak_memory(torch.device("cpu")) is None


def test_threads():
    device.take_device("cpu", 1)
    assert device.describe(torch.device("cpu")) == "CPU, 1 thread"


def test_no_more_threads_than_cores_unless_they_are_asked_for(monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 1)
    device.take_device("cpu", 2)
    assert torch.get_num_threads() == 2
    device.take_device("cpu")
    assert torch.get_num_threads() == 1


def test_processes_that_decode_stand_beside_a_gpu_and_not_beside_a_cpu(monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 16)
    assert device.decoders(None, torch.device("cpu")) == 0
    assert device.decoders(None, torch.device("cuda", 0)) == 4
    assert device.decoders(2, torch.device("cpu")) == 2
    assert device.decoders(0, torch.device("cuda", 0)) == 0


def test_a_gpu_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.take_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="no CUDA GPU here; use --device cpu"):
        device.take_device("cuda")
    with pytest.raises(UsageError, match="unknown device 'tpu': use auto, cpu or cuda"):
        device.take_device("tpu")


def test_each_process_takes_a_gpu_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(device, "_held", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    # Locks belong to an open file, so that two in one process exclude each other as those of two processes do.
    assert device._free_gpu(2) == 0
    assert device._free_gpu(2) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"adaclip-gpu-{os.getuid()}-{i}.lock" for i in (4, 6)]
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        device._held.pop(0).close()  # the other process ends

    monkeypatch.setattr(device.time, "sleep", sleep)
    assert device._free_gpu(2) == 0
    assert waited == [1]
    for stream in device._held:
        stream.close()


def test_full_precision_is_left_alone():
    with device.computing(torch.device("cpu"), "fp32"):
        assert not torch.is_autocast_enabled("cpu")
    with device.computing(torch.device("cpu"), "bf16"):
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
        assert torch.is_autocast_enabled("cpu")
