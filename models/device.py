"""Where this machine computes fastest, and in which number format."""

import timeit
from functools import cache

import torch

TRIAL_SHAPE = (1024, 384, 1536)
"""The largest product of a small encoder: rows, width in, width out."""
BF16_GAIN = 1.3
"""bfloat16 must beat float32 by this: the rest of the network gains less than its products."""


def uses_bf16(precision: str) -> bool:
    """Whether ``precision`` ("auto", "bf16" or "fp32") means bfloat16 on this machine."""
    if precision != "auto":
        return precision == "bf16"
    if device() == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _bf16_pays_on_cpu()


@cache
def _bf16_pays_on_cpu() -> bool:
    """Time a matrix product in both formats, about 50 ms in all.

    What the processor says of itself does not tell: measured on two Xeons that both list
    avx512_bf16, bfloat16 was 2.6 times as fast as float32 on one and half as fast on the other.
    """
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = (
            torch.ones(TRIAL_SHAPE[:2], dtype=dtype),
            torch.ones(TRIAL_SHAPE[1:], dtype=dtype),
        )
        with torch.inference_mode():
            seconds[dtype] = min(timeit.repeat(lambda: left @ right, number=1, repeat=8))  # noqa: B023
    return seconds[torch.float32] > BF16_GAIN * seconds[torch.bfloat16]


def device() -> str:
    """Return "cuda" where there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"
