"""What came before learned features, and what every network must beat to be worth its while."""
