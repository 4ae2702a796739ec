"""Reproducibility checklists of venues, answered from the records of a suite.

venues/VENUE.yaml     the items of a venue: number, heading, what is asked in our words, names of facts, what is left
facts_of_*.py         the facts by name: each sentence is known from the records, or says what they do not hold
answers.py            items with their facts
render_checklist.py   as Markdown and as TeX
"""
