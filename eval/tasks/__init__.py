"""Tasks: named splits of questions with their reference answers."""
