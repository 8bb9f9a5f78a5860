"""Whether a device multiplies bfloat16: what must be asked before anything is computed in it."""

import os

import torch

# How far oneDNN, which multiplies on the processor, may go: a user's limit to AVX2, say, means that
# the instructions that are there are not used.
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_ABLE = ("BF16", "FP16", "AMX", "AVX10", "DEFAULT")  # parts of the names of what goes far enough


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run in hardware, faster than those of float32.

    CUDA cards from Ampere on, and processors with AVX512-BF16 or AMX. Elsewhere torch emulates
    them, which is several times slower than float32 and no more exact.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        limit = next((os.environ[name].upper() for name in LIMITS if name in os.environ), "DEFAULT")
        allowed = any(part in limit for part in _ABLE)
        return allowed and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return False
