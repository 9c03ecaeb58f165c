"""The directive ``report-table``: every row of the table of reports as a section of the page."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import khoros_analytics.reports
from khoros_analytics.reports import API_PREFIX, REPORTS, Kind, Metric, Parameter, Report

OF_THE_CLIENT = {"company_key"}
ALWAYS_REQUIRED = {"start", "end", *OF_THE_CLIENT}
SOURCES = {
    "tutorial": "the vendor's tutorial",
    "openapi": "the vendor's OpenAPI file",
    "fivetran": "Fivetran's column names, so the case on the wire is a guess",
}


class ReportTable(SphinxDirective):
    """Renders the table anew at each build, so that the page cannot differ from the code."""

    def run(self) -> list[nodes.Node]:
        """Return one section for each report."""
        self.env.note_dependency(khoros_analytics.reports.__file__)
        lines = [line for report in REPORTS.values() for line in render(report)]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def render(report: Report) -> Iterator[str]:
    """Write one report as reStructuredText."""
    yield from (f".. _report-{report.name}:", "", report.title, "-" * len(report.title), "")
    yield f":meth:`client.{report.name}() <khoros_analytics.Client.{report.name}>` sends"
    yield f"``{report.verb} {API_PREFIX}{report.path}``, with its arguments in the {report.sends}."
    for verb, place in report.other_verbs.items():
        yield f"The vendor also documents {verb} with the arguments in the {place}."
    yield from (report.note, "")
    yield from list_table(("Keyword", "On the wire", "Meaning", "Written as"), parameter_rows(report))
    yield from ("Metrics that a source names:", "")
    yield from list_table(("Metric", "Label", "Source"), map(metric_row, report.metrics))


def list_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Write a table as reStructuredText."""
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: auto", "")
    for row in (header, *rows):
        for number, cell in enumerate(row):
            yield f"   {' ' if number else '*'} - {cell}"
    yield ""


def parameter_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Write a row for each keyword; wire parameters that are set together share one."""
    for name, group in groupby(report.parameters, key=lambda parameter: parameter.name):
        parameters = list(group)
        wires = ", ".join(f"``{parameter.wire}``" for parameter in parameters)
        yield keyword(report, name), wires, f"{parameters[0].meaning}.", written_as(parameters[0])


def keyword(report: Report, name: str) -> str:
    """Write a keyword, and say when it must be given."""
    if name in OF_THE_CLIENT:
        return f"``{name}`` of the client"
    return f"``{name}``" + (", required" if name in ALWAYS_REQUIRED.union(report.required) else "")


def written_as(parameter: Parameter) -> str:
    """Say how a value travels, with its unit and the values that are allowed."""
    kind = "text" if parameter.kind is Kind.TEXT else parameter.kind.value
    allowed = ", ".join(f"``{choice}``" for choice in parameter.choices)
    return f"{kind}: {allowed}" if allowed else kind


def metric_row(metric: Metric) -> tuple[str, ...]:
    """Write a metric with its label and who says so."""
    return f"``{metric.name}``", metric.label or "", SOURCES[metric.source]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Tell Sphinx of the directive."""
    app.add_directive("report-table", ReportTable)
    return {"parallel_read_safe": True}
