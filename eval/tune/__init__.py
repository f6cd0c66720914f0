"""`lethe-eval tune`: finds offline how the guard should corrupt, by zeroth-order search toward a target's figures."""
