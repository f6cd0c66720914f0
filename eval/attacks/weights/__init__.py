"""Attacks that need the weights: what a checkpoint still holds, whatever its answers say."""
