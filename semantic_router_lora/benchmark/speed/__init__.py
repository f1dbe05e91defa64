"""How fast encoders embed, side by side, as ratios within one run."""
