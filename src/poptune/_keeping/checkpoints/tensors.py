"""Torch tensors on their way to the array file and back. Nothing else here knows torch.

When writing, torch is looked up, never imported: where it is not imported there are no tensors.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from poptune._keeping.checkpoints.arrays import ArrayLeaf, array_from, inverse, memory_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


def is_tensor(value: Any) -> bool:
    """Whether `value` is a plain tensor: strided, not quantised, with data, and of no subclass."""
    torch = sys.modules.get("torch")
    return (
        torch is not None
        and type(value) in {torch.Tensor, torch.nn.Parameter}
        and value.layout is torch.strided
        and not value.is_quantized
        and not value.is_meta
    )


def tensor_leaf(tensor: Any) -> ArrayLeaf:
    """Describe a tensor. From another device it comes to the host when its bytes are read."""
    torch = sys.modules["torch"]
    memory = ("torch", tensor.device, tensor.data_ptr(), _dtype_name(tensor), *_layout(tensor))
    plain = tensor.detach().resolve_conj().resolve_neg()
    axes = memory_order(plain.shape, plain.stride())
    if not plain.permute(axes).is_contiguous():
        axes = tuple(range(plain.ndim))
    dense = plain.permute(axes)
    return ArrayLeaf(
        library="torch",
        dtype=_dtype_name(tensor),
        item_bytes=tensor.element_size(),
        shape=tuple(dense.shape),
        order=inverse(axes),
        memory=memory,
        read_bytes=lambda: _bytes_of(dense),
        traits={
            "parameter": type(tensor) is torch.nn.Parameter,
            "requires_grad": tensor.requires_grad,
        },
    )


def _bytes_of(dense: Any) -> NDArray[np.uint8]:
    host = dense.cpu().contiguous()
    flat = host.as_strided((host.numel(),), (1,))  # an axis of length 1 may have any stride
    raw: NDArray[np.uint8] = flat.view(sys.modules["torch"].uint8).numpy()
    return raw


def _layout(tensor: Any) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.is_conj(), tensor.is_neg()


def _dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def tensor_from(
    raw: NDArray[np.uint8],
    dtype: str,
    *,
    shape: Sequence[int],
    order: Sequence[int],
    traits: Mapping[str, bool],
) -> Any:
    """A tensor in the memory of `raw`; a numpy array where torch is not installed.

    Raises:
        CheckpointError: Torch is not installed, and numpy lacks the dtype.
        ValueError, TypeError, RuntimeError: The description is malformed.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return array_from(raw, dtype, shape).transpose(order)
    torch_dtype = getattr(torch, dtype)
    if not isinstance(torch_dtype, torch.dtype):
        raise TypeError(f"torch has no dtype {dtype}")
    flat = torch.from_numpy(raw).view(torch_dtype) if raw.size else torch.empty(0, dtype=torch_dtype)
    tensor = flat.reshape(shape).permute(tuple(order))
    if traits.get("parameter"):
        return torch.nn.Parameter(tensor, requires_grad=traits.get("requires_grad", False))
    return tensor.requires_grad_(traits.get("requires_grad", False))
