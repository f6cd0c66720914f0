"""The comparison: systems times benchmarks times attacks, one resumable run, one report."""
