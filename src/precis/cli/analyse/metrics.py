"""`precis analyse metrics`: which automatic measures choose as people do?"""

from __future__ import annotations

from ..options import Ending, Where, flat
from .finish import finish
from .reading import LabelersOption, pooling_warnings, read_choices, read_groups, show_block


@flat
def metrics_command(
    labelers: LabelersOption = None,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Agreement of metrics and scoring judges with labelers, with ensembles of them, and with one another."""
    from ...evaluation.judgements.candidatemetrics import judge_metrics, logp_metrics, rule_metrics
    from ...evaluation.judgements.metricagreement import metric_analysis
    from ...evaluation.plain import to_plain
    from ...report.metric_blocks import metrics_findings, metrics_sections, with_people_table

    groups = read_groups(where)
    choices = read_choices(groups, labelers)
    compared = {side.id for choice in choices for side in (choice.a, choice.b)}
    metrics = rule_metrics(groups, compared) | logp_metrics(groups)
    for name, judge in judge_metrics(groups).items():
        if compared & judge.values.keys() and name not in metrics:
            metrics[name] = judge
    found = metric_analysis(choices, list(metrics.values()), seed=ending.seed)
    for title, on in (("all pairs", found.all_pairs), ("pairs of samples of one system", found.same_system)):
        if on.items:
            show_block(with_people_table(found, on, title))
    finish(
        "Metrics and people",
        metrics_sections(found),
        to_plain(found),
        findings=metrics_findings(found),
        warnings=pooling_warnings(choices),
        ending=ending,
    )
