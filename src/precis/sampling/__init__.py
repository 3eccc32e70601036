"""Sampling: how candidates are written. `local` is the engine, `run` fills the store, `decoding` says how to choose."""
