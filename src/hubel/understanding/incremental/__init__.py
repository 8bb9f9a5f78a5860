"""A network's answers to many pictures that differ from one in a box: only boxes are computed.

After Nakandala et al. 2019 ("Incremental and approximate inference for faster occlusion-based deep
CNN explanations", SIGMOD), with every rule of our own: exact, for any network that can be traced.
"""
