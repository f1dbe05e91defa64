"""How the forward pass runs: token ids in, sentence vectors out.

`protocol.Engine` is what all engines have in common; `packed` runs BERT without padding and
without transformers, `transformers` any other architecture.
"""
