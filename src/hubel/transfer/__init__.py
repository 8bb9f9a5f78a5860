"""Beginning with what was learned elsewhere (lecture: transfer learning)."""
