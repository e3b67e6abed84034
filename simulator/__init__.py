"""Stand-ins for the ministries, before the way of the data begins: what they deliver, over real protocols.

Promise: the same seed, clock and faults give the same bytes. It imports nothing of the product.
"""
