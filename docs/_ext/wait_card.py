"""The directive ``wait-card``: what a notebook shows of a wait, made by the library itself on the sandbox."""

from collections.abc import Callable

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from khoros_analytics import Client
from khoros_analytics._display.card import Card
from khoros_analytics._display.snapshot import Snapshot
from khoros_analytics._http.history import Pause
from khoros_analytics._jobs.remote import RemoteJob
from khoros_analytics._jobs.watch import Watch
from khoros_analytics.sandbox import Sandbox


def running(watch: Watch, remote: RemoteJob) -> Snapshot:
    """Return how a wait stands between two polls."""
    remote.history.pause = Pause("next poll", remote.transport.clock.monotonic() + 8)
    return watch.look()


def interrupted(watch: Watch, _remote: RemoteJob) -> Snapshot:
    """Return how a wait ends that somebody interrupts."""
    return watch.ended(KeyboardInterrupt())


SCENES: dict[str, Callable[[Watch, RemoteJob], Snapshot]] = {"running": running, "interrupted": interrupted}


def draw(scene: str) -> str:
    """Return a card as HTML."""
    with Sandbox() as sandbox, Client(**sandbox.settings) as client:
        remote = client.conversation("2019-02-01", "2019-05-01").refresh()._remote  # noqa: SLF001 - it is what is watched
        sandbox.clock.sleep(45)
        return Card(SCENES[scene](Watch(remote), remote))._repr_html_()


class WaitCard(SphinxDirective):
    """Draws a card anew at each build, so that it cannot differ from what a notebook shows."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the card as a part of the page."""
        return [nodes.raw("", draw(self.arguments[0]), format="html")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Tell Sphinx of the directive."""
    app.add_directive("wait-card", WaitCard)
    return {"parallel_read_safe": True}
