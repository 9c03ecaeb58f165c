"""How Sphinx builds these pages."""

import logging
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "khoros_analytics"
author = "the khoros_analytics authors"
project_copyright = f"2026, {author}"
release = version = installed_version(project)

extensions = [
    "readable_signatures",
    "report_table",
    "rooms_picture",
    "wait_card",
    "matplotlib.sphinxext.plot_directive",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
nitpicky = True

autodoc_member_order = "bysource"
autodoc_typehints = "description"
# What a docstring leaves out, such as self-evident results, stays out.
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# An attribute that is listed in its class's docstring is not documented a second time as a member.
napoleon_use_ivar = True

# The names of other projects that these pages link to are kept as text beside this file, so a build needs no network. A
# name that is missing there stops the build; add it as `name kind page`. pandas, Polars and pyarrow are listed by the
# short names that signatures use: they are optional, so these names exist for type checkers only.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "_inventories/python.txt"),
    "pandas": ("https://pandas.pydata.org/docs", "_inventories/pandas.txt"),
    "polars": ("https://docs.pola.rs/api/python/stable", "_inventories/polars.txt"),
    "pyarrow": ("https://arrow.apache.org/docs/python", "_inventories/pyarrow.txt"),
    "requests": ("https://requests.readthedocs.io/en/latest", "_inventories/requests.txt"),
}

# The build runs the programs of the pages' pictures on the sandbox; one that fails stops the build. It keeps only the
# pictures: a reader finds the program above its picture.
plot_pre_code = ""
plot_formats = [("png", 150)]
plot_html_show_formats = False
plot_html_show_source_link = False
# The theme's colour scheme, a11y-pygments, turns on logging at level INFO for everything.
logging.getLogger("khoros_analytics").setLevel(logging.WARNING)

# Notebooks run anew at each build, and an error in one stops it.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

# What a program shows has no button: nobody pastes it. Prompts are not copied.
copybutton_selector = "div.highlight:not(.highlight-text *) pre"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
# The notebooks that are made of two pages: to be taken along, not further pages.
html_extra_path = ["first_export.ipynb", "gallery.ipynb"]
html_show_sphinx = False

# The signature of an export names this class, which is private to the sandbox.
nitpick_ignore = [("py:class", "khoros_analytics.sandbox._data.export_spec.ExportSpec")]
