"""Labelled probes through a server's live arms, and what the arms come to: never by the word of the guard itself."""
