"""``python -m semantic_router_lora``: the same command as ``semantic-router-lora``."""

from semantic_router_lora.cli import main

if __name__ == "__main__":
    main()
