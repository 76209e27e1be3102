"""How long one image takes on this machine: the figures behind `adaclip/plan/rates.yaml`.

    python benchmarks/rates.py --model ViT-L-14-336 --image-size 518 --device cuda

Weights are random: they change no time. Prints an entry for the file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from adaclip.clip.load import load_backbone
from adaclip.methods.adaclip.model import AdaCLIP
from adaclip.methods.losses import training_loss
from adaclip.runs.device import describe, take_device


def seconds(work: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Seconds of one call: the shortest of some, after one to warm up unless there is only one."""

    def once() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        # Other processes must not count on a CPU.
        clock = time.perf_counter if device.type == "cuda" else time.process_time
        started = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return clock() - started

    if repeats > 1:
        once()
    return min(once() for _ in range(repeats))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ViT-L-14-336")
    parser.add_argument("--image-size", type=int, default=518)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    device = take_device(chosen.device, chosen.threads)
    backbone = load_backbone(chosen.model, image_size=chosen.image_size, device=device)
    model = AdaCLIP(backbone)
    batch, side = chosen.batch_size, chosen.image_size
    images = torch.randn(batch, 3, side, side, device=device)
    masks = (torch.rand(batch, side, side, device=device) > 0.9).float()
    labels = torch.ones(batch, device=device)
    words = ["metal nut"] * batch
    embedding = backbone.encode_image(images)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        output = model(images, words, embedding)
        training_loss(output.score, model.training_maps(output), labels, masks, None, "rows").total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    work: dict[str, Callable[[], object]] = {
        "features": lambda: backbone.encode_image(images),
        "evaluate": lambda: model.predict(images, words, {"embedding": embedding}),
        "train": step,
    }
    print(f"- model: {chosen.model}\n  image_size: {side}\n  device: {describe(device)}")
    print(f"  source: measured by benchmarks/rates.py, PyTorch {torch.__version__}, fp32, batch size {batch}")
    for name, call in work.items():
        print(f"  {name}: {seconds(call, chosen.repeats, device) / batch:.4g}", flush=True)


if __name__ == "__main__":
    main()
