"""Pure scoring room: rules, facts and the arithmetic between them. No Django, no clock, no float.

`points` reads and writes exact decimals, `rules` the rules of a notice, `facts` what was found,
`evaluate` turns both into a `breakdown` that explains every step.
"""
