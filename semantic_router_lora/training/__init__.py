"""Making adapters: from triplets to an adapter folder. Needs the extra ``train``."""
