"""Train on digits, measure on digits that other people wrote, and name the worst class."""

import tempfile

import hubel

with tempfile.TemporaryDirectory() as folder:
    trained = hubel.train("digits", network="mlp", epochs=5, out=f"{folder}/run")
    tested = hubel.evaluate(trained.run)
low, high = tested.interval
worst = min(tested.classes, key=lambda row: row.f1)
print(f"accuracy {tested.accuracy:.1%} ({low:.1%} to {high:.1%}); hardest: {worst.name}")
