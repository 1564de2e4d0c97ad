"""How Sphinx builds the site of these pages: `scripts/docs`. The pages are read where they lie, so that links between them hold."""

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

project = "mlspec"
author = "the authors of mlspec"
extensions = ["myst_parser"]
lexers["mermaid"] = TextLexer()  # GitHub draws these; the site shows their text, and loads no script from elsewhere

root_doc = "docs/index"
source_suffix = {".md": "markdown"}
# Of the whole repository, the pages for readers. Links to any other file of it become downloads.
include_patterns = [
    "README.md", "README.pt-BR.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "docs/**", "infra/README.md",
    "benchmarks/README.md", "data/README.md", "tests/README.md", "tests/gcp/standin/README.md", "tests/terraform/README.md",
    "acceptance/README.md",
]  # fmt: skip
exclude_patterns = ["**/.*", ".*", "build", "dist", "docs/site"]

# The anchors are those of GitHub, where the same pages are read.
myst_heading_anchors = 4
myst_enable_extensions = ["strikethrough"]

html_theme = "furo"
html_title = "mlspec"
html_copy_source = False
