"""What is kept of every request, so that nobody can change it unseen; never a word of it."""
