"""Rules of `mlspec.render`, and how each is broken."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import TEMPLATES

MUTATIONS = (
    Mutation("no text ends the data of a page", "render/page_frame.py", '.replace("<", "\\\\u003c").replace(">", "\\\\u003e")', "",
             "tests/render/test_report.py::test_no_text_of_a_user_becomes_a_tag"),
    Mutation("templates see facts alone", "render/environment.py", "return is_fact and super()", "return super()",
             TEMPLATES + "::test_a_template_that_fails_is_named_in_words"),
    Mutation("a spec's text ends no code span of a comment", "render/quote.py",
             'default=0) + 1)', "default=0) or 1)",
             "tests/render/test_quote.py::test_text_in_markdown_is_text_in_code_and_nothing_else"),
    Mutation("a spec's text is no HTML of a comment", "render/quote.py",
             "html.escape(''.join(map(_python_char, text)))", "''.join(map(_python_char, text))",
             "tests/render/test_quote.py::test_text_in_html_within_markdown_is_text_in_code_and_nothing_else"),
    Mutation("a forecast reads its own folder of the platform's data and no other's", "render/gcp/terraform.py",
             "if address.bucket != data_bucket or", "if True or",
             "tests/render/test_terraform.py::test_a_bucket_is_granted_to_whom_cannot_read_it_yet"),
)  # fmt: skip
