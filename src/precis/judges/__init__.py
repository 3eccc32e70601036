"""Judges: whoever or whatever says which summary is good. One file a judge, one protocol (`protocol.py`)."""
