"""Training triplets from public, openly licensed originals; run as ``python training/prepare``."""
