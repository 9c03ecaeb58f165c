"""Values of Arrow made of those of Python: its usual way to do so imports pandas where it is installed, for nothing."""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["length_scalar", "number_array", "text_array", "text_scalar"]


def text_array(values: Sequence[object]) -> "pa.StringArray":
    """Return texts, of which some may be missing; a TypeError for anything else."""
    import pyarrow as pa
    from pyarrow.lib import StringBuilder

    if not {*map(type, values)} <= {str, type(None)}:
        raise TypeError
    builder = StringBuilder()
    builder.append_values(values)
    array = builder.finish()
    # It says nothing of texts that do not fit into one array.
    return array if len(array) == len(values) else pa.array(values, pa.string())


def number_array(values: Sequence[object], kind: "pa.DataType") -> "pa.Array":
    """Return numbers or booleans as Arrow has them; numbers of more than 64 bits are an OverflowError."""
    import pyarrow as pa

    try:
        import numpy as np
    except ImportError:
        return pa.array(values, kind)
    present = np.array([value is not None for value in values])
    content = np.array([0 if value is None else value for value in values], np.dtype(str(kind)))
    buffers = [np.packbits(array, bitorder="little") if array.dtype == bool else array for array in (present, content)]
    return pa.Array.from_buffers(kind, len(values), list(map(pa.py_buffer, buffers)))


def text_scalar(text: str) -> "pa.StringScalar":
    """Return a text as Arrow has it."""
    import pyarrow as pa

    content = text.encode()
    return pa.StringArray.from_buffers(1, pa.py_buffer(struct.pack("=ii", 0, len(content))), pa.py_buffer(content))[0]


def length_scalar(length: int) -> "pa.Int32Scalar":
    """Return a number of bytes as Arrow has it."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int32(), 1, [None, pa.py_buffer(struct.pack("=i", length))])[0]
