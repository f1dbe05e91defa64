"""An adapter from a router's own routes, kept only if held-out queries are routed better."""
