"""The site: ``python -m sphinx -W -b html docs docs/_build/html``.

Needs the extra ``docs``. Pages are executed; what they gave is kept in ``docs/_build`` until their code changes. To execute
all again: ``rm -r docs/_build docs/gallery``. Nothing on a page is fetched from elsewhere.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = HERE / "_build"
sys.path[:0] = [str(ROOT), str(HERE / "_ext")]
os.environ.pop("MPLBACKEND", None)  # figures of pages are those of notebooks

import kernel  # noqa: E402
import names  # noqa: E402

import neuralstat  # noqa: E402

os.environ["IPYTHONDIR"] = str(kernel.configure(BUILD / "ipython"))

project = "neuralstat"
author = "the neuralstat developers"
copyright = "2026, the neuralstat developers"
version = release = neuralstat.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "stale",
    "docstrings",
    "links",
    "kernel",
    "vignettes",
    "names",
    "command_line",
    "benchmarks",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = [
    "_build", "_tables", "plots", "gallery/**.ipynb", "gallery/**.md5", "reference/_command_line.md",
    "sg_execution_times.rst", "**.ipynb_checkpoints",
]  # fmt: skip
templates_path = ["_templates"]
default_role = "py:obj"
nitpicky = False
suppress_warnings = ["mystnb.unknown_mime_type", "config.cache"]

# docstrings
autosummary_generate = True
autosummary_imported_members = False
autosummary_context = {"members_of": names.members()}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False

# executed pages
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline", "substitution"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILD / ".jupyter_cache")
nb_execution_excludepatterns = ["vignettes/*"]  # the extension `vignettes` executes them, in their own folder
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True
nb_ipywidgets_js = {}

# mathematics: a file of the package sphinx-mathjax-offline (MathJax 3, glyphs inside)
MATHJAX = Path(importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0]) / "static" / "mathjax"
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

# pages
html_theme = "pydata_sphinx_theme"
html_title = "neuralstat"
html_baseurl = neuralstat.errors.SITE
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "changelog": [], "security": [], "contributing": []}
html_theme_options = {
    "logo": {"text": "neuralstat"},
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "show_prev_next": True,
    "back_to_top_button": True,
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# gallery
sphinx_gallery_conf = {
    "examples_dirs": [str(HERE / "plots")],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "capture_repr": (),
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "plot_gallery": "True",
    "reset_modules": ("matplotlib",),
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "line_numbers": False,
}


def setup(app: object) -> None:
    """Mathematics from a package: only the one file that pages load."""
    from sphinx.util.fileutil import copy_asset

    def copy(app: object, exception: Exception | None) -> None:
        if exception is None:
            copy_asset(MATHJAX / "tex-svg.js", Path(app.outdir) / "_static" / "mathjax")

    app.connect("build-finished", copy)
