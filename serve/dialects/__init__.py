"""Wire formats, one a file."""
