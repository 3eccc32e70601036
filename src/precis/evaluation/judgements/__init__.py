"""What stored judgements are worth: who agrees with whom, on what, and what a judge likes beside quality.

Start at `choices` (who chose what) and `verdicts` (what each judge says, whatever its form).
"""
