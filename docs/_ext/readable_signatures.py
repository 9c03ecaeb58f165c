"""Signatures and types as a reader wants them: no marks of the tools that made them."""

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

__all__ = ["setup"]


def shorten_defaults(
    _app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show a default that attrs makes anew each time as three dots."""
    return (signature.replace("=NOTHING", "=...") if signature else signature), returns


def shorten_names(_app: Sphinx, page: nodes.document) -> None:
    """Show the last part of a name: behind a Literal, Sphinx leaves the mark that asks for it in the text."""
    for text in list(page.findall(nodes.Text)):
        if isinstance(text.parent, addnodes.literal_emphasis | nodes.emphasis) and text.startswith("~"):
            text.parent.replace(text, nodes.Text(text.rpartition(".")[2]))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connect both to the build."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", shorten_defaults)
    app.connect("doctree-read", shorten_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
