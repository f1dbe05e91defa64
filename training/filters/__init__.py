"""What the filters for generated texts remove: measured on this project's own rows."""
