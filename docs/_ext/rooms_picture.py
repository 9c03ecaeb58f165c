"""The directive ``rooms-picture``: the package's rooms and their imports, as they are in the source at this moment."""

from pathlib import Path

from docutils import nodes
from rooms import draw
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

PACKAGE = Path(__file__).parents[2] / "khoros_analytics"


class RoomsPicture(SphinxDirective):
    """Draws the picture anew at each build, so that it cannot differ from the code."""

    def run(self) -> list[nodes.Node]:
        """Return the picture as a part of the page, so that it takes the page's colours."""
        for module in PACKAGE.rglob("*.py"):
            self.env.note_dependency(str(module))
        return [nodes.raw("", f'<div style="overflow-x: auto">{draw(PACKAGE)}</div>', format="html")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Tell Sphinx of the directive."""
    app.add_directive("rooms-picture", RoomsPicture)
    return {"parallel_read_safe": True}
