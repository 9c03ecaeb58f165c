"""The card of a notebook: HTML with nothing from elsewhere, that reads well without its style, too."""

from html import escape

from .line import line
from .snapshot import Fact, Snapshot

__all__ = ["Card"]

# Colours come from the page: JupyterLab and VS Code name theirs, and elsewhere the text's own colour fits any ground.
# The one that is left, of the stripe, is told from white and from black alike.
_STYLE = """
.khoros-analytics-card{--stripe:var(--jp-brand-color1,var(--vscode-charts-blue,#3b82c4));
color:var(--jp-content-font-color1,var(--vscode-editor-foreground,inherit));
border-left:4px solid var(--stripe);padding:.25em 0 .25em .9em;margin:.3em 0;max-width:48em;line-height:1.45;
font-family:var(--jp-content-font-family,var(--vscode-font-family,system-ui,sans-serif));
font-size:var(--jp-content-font-size1,var(--vscode-font-size,14px))}
.khoros-analytics-card.done{--stripe:var(--jp-success-color1,var(--vscode-charts-green,#3a8f4d))}
.khoros-analytics-card.stopped{--stripe:var(--jp-warn-color1,var(--vscode-charts-orange,#b7791f))}
.khoros-analytics-card.failed{--stripe:var(--jp-error-color1,var(--vscode-charts-red,#d14343))}
.khoros-analytics-card p{margin:.2em 0}
.khoros-analytics-card progress{width:100%;max-width:30em;height:.8em;accent-color:var(--stripe)}
.khoros-analytics-card table{border-collapse:collapse;border:0;margin:0;color:inherit;font-size:inherit}
.khoros-analytics-card tr,.khoros-analytics-card tr:hover{background:none!important}
.khoros-analytics-card th,.khoros-analytics-card td{background:none;border:0;padding:0 1.2em 0 0;color:inherit;
text-align:left!important;vertical-align:top;font-weight:normal;line-height:inherit;white-space:normal;
overflow-wrap:anywhere}
.khoros-analytics-card th{white-space:nowrap;opacity:.8}
.khoros-analytics-card code{color:inherit;background:none;overflow-wrap:anywhere;white-space:pre-wrap}
""".replace("\n", "")


class Card:
    """What a notebook shows of one wait, and keeps when it is saved."""

    def __init__(self, snapshot: Snapshot) -> None:
        # Made here, where an error is caught, and not when the notebook asks.
        self._html, self._text = _html(snapshot), _text(snapshot)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html


def _text(snapshot: Snapshot) -> str:
    return "\n".join(filter(None, (line(snapshot), snapshot.advice, snapshot.code)))


def _html(snapshot: Snapshot) -> str:
    # The words that a screen reader says when they change are those of the state; what counts up is outside.
    head = f'<p role="status"><strong>{escape(snapshot.title)}</strong>: {escape(snapshot.state)}</p>'
    rows = "".join(_row(fact) for fact in snapshot.facts)
    return (
        f'<div class="khoros-analytics-card {snapshot.outcome or "running"}"><style>{_STYLE}</style>{head}'
        f"{_bar(snapshot)}<table><tbody>{rows}</tbody></table>{_advice(snapshot)}</div>"
    )


def _row(fact: Fact) -> str:
    return f'<tr><th scope="row">{escape(fact.name)}</th><td>{escape(fact.text)}</td></tr>'


def _bar(snapshot: Snapshot) -> str:
    if snapshot.outcome:
        return ""
    label = escape(f"{snapshot.title}: {snapshot.state}")
    if snapshot.fraction is None:
        return f'<progress aria-label="{label}"></progress>'
    return (
        f'<progress aria-label="{label}" max="100" value="{100 * snapshot.fraction:.1f}">'
        f"{100 * snapshot.fraction:.0f} %</progress>"
    )


def _advice(snapshot: Snapshot) -> str:
    words = f"<p>{escape(snapshot.advice)}</p>" if snapshot.advice else ""
    return words + (f"<p><code>{escape(snapshot.code)}</code></p>" if snapshot.code else "")
