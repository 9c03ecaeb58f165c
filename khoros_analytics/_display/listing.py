"""Lists that know how to look: as a table in a notebook, and as its text at a prompt."""

from abc import abstractmethod

from .._tables import Table, as_html, as_text

__all__ = ["Listing"]


class Listing:
    """What a list, or any other value, needs beside its own type to be shown as a table."""

    __slots__ = ()

    @abstractmethod
    def _table(self) -> Table:
        """Return what is to be shown."""

    def __repr__(self) -> str:
        return as_text(self._table())

    def _repr_html_(self) -> str:
        """Return a table, for notebooks."""
        return as_html(self._table())
