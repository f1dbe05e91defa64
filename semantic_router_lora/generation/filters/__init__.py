"""Filters for paraphrases and near misses that a language model wrote."""
