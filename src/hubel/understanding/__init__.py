"""What a network saw: its intermediates, what they answer to, and where a decision comes from."""
