"""Several arms behind one model name, for an A/B test: who gets which, what becomes of it, and what is kept of that."""
