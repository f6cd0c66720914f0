"""The output guard: what of an answer may leave while it is written."""
