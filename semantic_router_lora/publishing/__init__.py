"""Publishing a checked adapter on the Hugging Face Hub."""
