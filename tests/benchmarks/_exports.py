"""Files of exports for benchmarks: flat rows with 40 columns, of any size."""

from pathlib import Path

from khoros_analytics.sandbox._data.columns import columns_of
from khoros_analytics.sandbox._data.export_spec import ExportSpec

# The columns of a response are 34; these make them 40.
_COLUMNS = (*columns_of("response"), "POST_ID", "AUTHOR_ID", "PRIORITY", "TAGS", "POST_COUNT", "CREATED_DATE")
_WINDOW = (1_548_979_200_000, 1_556_668_799_999)


def export_file(folder: Path, format: str, size: int) -> Path:
    """Write a file of about so many bytes as the sandbox would send it, in constant memory.

    Args:
        folder: Where to.
        format: ``csv`` or ``json``.
        size: How many bytes.

    Returns:
        The file.
    """
    path = folder / f"export_{size}.{format}"
    recipe = ExportSpec("response", *_WINDOW, format=format, metrics=_COLUMNS, size=size)
    with path.open("wb") as file:
        for piece in recipe.body().chunks():
            file.write(piece)
    return path
