"""What is done with a flagged prompt, one action a file."""
