"""precis teaches language models to summarize from feedback. `docs/` and DESIGN say how; start at `precis.recipes`."""

__version__ = "0.1.0"
