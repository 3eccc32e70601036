"""A run's report: one self-contained HTML file and the same as JSON.

Recipes build `contents.Report` from blocks (`systems_blocks`, `example_blocks`, `analysis_blocks`) and call
`write.write_report`.
"""
