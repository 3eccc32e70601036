"""What a summarizer is worth: text metrics, win rates, agreement, calibration, best-of-N, each with its interval and n.

Start at `systems.evaluate_systems`. Statistics are by document throughout (`statistics`). `judgements` asks what labels
and judges are worth, `probes` what a judge sees in edited summaries, `optimization` what following one buys.
"""
