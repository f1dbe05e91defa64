"""How the forward pass runs: token ids in, sentence vectors out."""
