"""How the documentation site is made; `make site` runs it. Sources are Markdown and notebooks.

The source folder of Sphinx is the top of the repository, so that a link which works for a reader of
the files works on the site as well, and the notebooks are pages where they lie.
"""  # noqa: INP001 - settings of a tool, no package

from __future__ import annotations

import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP))
sys.path.insert(0, str(TOP / "docs" / "site"))

import tradenb  # noqa: E402 - the package beside these pages, not one that is installed

sys.modules["tradenb.risks"] = tradenb.risks  # users reach it as a module, autodoc does not

# Kernels of pages: charts as their still drawing, no bars of progress, warnings are errors.
os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"
os.environ["TQDM_DISABLE"] = "1"
os.environ["PYTHONSTARTUP"] = str(TOP / "docs" / "site" / "quiet_bars.py")

project = "tradenb"
release = version = tradenb.__version__
html_title = "tradenb"
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "docs/reference/generated/*.rst",
    "notebooks/*.ipynb",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "tests",
    "tradenb",
    "benchmarks",
    "dump",
    "docs/pictures",
]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "error_messages",
    "site_pages",
]
language = "en"
nitpicky = False
default_role = "code"
highlight_language = "default"

# --- pages ----------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Each page runs its own code: pages are read by several processes, and a cache of theirs let one
# read what another was writing. A cell that fails is a warning, which -W makes an error.
nb_execution_mode = "force"
nb_execution_timeout = 240
nb_execution_show_tb = True
nb_execution_in_temp = True  # live runs of pages leave no files
suppress_warnings = ["mystnb.unknown_mime_type"]  # charts are shown as their HTML
nb_ipywidgets_js = {}  # it would come from a CDN
nb_merge_streams = True
# The still form of widgets and charts: these pages run no kernel.
nb_mime_priority_overrides = [
    ("html", "text/html", 0),
    ("html", "image/svg+xml", 10),
    ("html", "image/png", 20),
    ("html", "text/markdown", 30),
    ("html", "text/plain", 40),
    ("html", "application/vnd.jupyter.widget-view+json", 80),
    ("html", "application/vnd.plotly.v1+json", 90),
]

# --- reference ------------------------------------------------------------------------------------

autosummary_generate = True
autosummary_imported_members = True
autodoc_typehints = "none"
autodoc_member_order = "alphabetical"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# --- look -----------------------------------------------------------------------------------------

templates_path = [str(TOP / "docs" / "site" / "templates")]  # else looked for below the top
html_theme = "pydata_sphinx_theme"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it is fetched, which a browser refuses for files
html_show_copyright = False
html_sidebars = {
    f"docs/{page}": [] for page in ("index", "start", "data", "charts", "research", "real_orders")
}  # they have no pages below them
pygments_style = "default"
html_theme_options = {
    "logo": {"text": "tradenb"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_nav_level": 1,
    "footer_start": ["sphinx-version"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "back_to_top_button": False,
}
