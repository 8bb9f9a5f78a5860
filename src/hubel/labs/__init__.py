"""The lecture's figures made live: one file a lab, each a function that measures and says."""
