"""Who may ask: keys that the operator gives out, kept as hashes."""
