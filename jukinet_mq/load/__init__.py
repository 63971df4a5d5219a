"""The nation as a source of events: synthetic residents, real places, real rates.

Everything here is repeatable from a seed, and no number made here can be a person's.
"""
