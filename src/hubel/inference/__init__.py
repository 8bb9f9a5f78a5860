"""A trained model made ready to answer, and its answers for many pictures."""
