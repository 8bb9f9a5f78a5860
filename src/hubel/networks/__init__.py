"""Published networks, one family a file, every variant a row of a table."""
