"""Scores, rates and their intervals: plain functions over numbers, no files, no network."""
