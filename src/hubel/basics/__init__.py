"""The arithmetic and calculus under every network."""
