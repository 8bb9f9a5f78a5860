"""How a network breaks: small changes that fool it, nonsense it is sure of, what it goes by."""
