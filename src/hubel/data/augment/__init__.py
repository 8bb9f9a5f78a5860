"""Random changes to training pictures, whole batches at a time; `compose` has the table."""
