"""Text to token ids and back: template + source → prefix ids, candidate → continuation ids.

Three promises, each tested:

- **The seam is exact.** A group's prefix is encoded once and each candidate's continuation apart, so that all
  candidates share the very same prefix ids; where the tokenizer allows it the two together equal the joint
  encoding. Sampled ids are kept as sampled, never re-encoded.
- **Documents are data.** Special tokens are read in the template only; a document that contains `<|im_end|>` or
  `{summary}` contributes those characters, not that token or that field.
- **The document is cut, never the summary**, at a line or sentence end, and every cut is counted.
"""

from .queries import Query, query_ids, query_of, response_ids
from .renderer import RENDERING_FILE, Prefix, Renderer, TokenGroup, load_renderer
from .templates import FIELD, TEMPLATES, Template, template_named

__all__ = [
    "FIELD",
    "RENDERING_FILE",
    "TEMPLATES",
    "Prefix",
    "Query",
    "Renderer",
    "Template",
    "TokenGroup",
    "load_renderer",
    "query_ids",
    "query_of",
    "response_ids",
    "template_named",
]
