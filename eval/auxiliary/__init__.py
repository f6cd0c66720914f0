"""Makes the two small models of divergence decoding."""
