"""Reports: what a training or an audit found, as pictures, a page and a model card.

Stands on results only: `results` says what a report is made of, `curves`, `confusion`, `filters`
and `sheet` draw, `page` and `card` write.
"""
